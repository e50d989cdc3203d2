package node

// mark is the SO_MARK of our sockets ("l2tu"), so that policy routing can keep
// them out of the tunnel.
const mark = 0x6c327475

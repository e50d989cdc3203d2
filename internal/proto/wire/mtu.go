package wire

// DefaultMTU is the largest IP packet inside the tunnel, in bytes, unless the
// config says otherwise: with it a direct record fits paths of 1500, over IPv4
// and IPv6. Device, config and sessions share it.
const DefaultMTU = 1420

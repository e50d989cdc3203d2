package node

import (
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/routing"
)

// UndoLeft takes out what a node behind this socket has left that was killed, and
// returns what that was. control.ErrRunning is in the error if a node runs there.
func UndoLeft(socket string) (undone []string, err error) {
	path := control.JournalPath(socket)
	if !routing.LeftJournal(path) {
		return nil, nil
	}
	lock, err := control.Acquire(socket)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	return routing.UndoJournal(path)
}

// startJournal takes out what an earlier node has left. The journal of this one
// goes last when it stops.
func (n *node) startJournal() error {
	path := control.JournalPath(n.o.Socket)
	undone, err := routing.UndoJournal(path)
	if err != nil {
		return err
	}
	if len(undone) > 0 {
		n.log.Warn("an earlier node was killed: removed its addresses and routes", "undone", undone)
	}
	n.defers(func() { n.journal.Close() })
	return nil
}

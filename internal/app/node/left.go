package node

import (
	"log/slog"

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

// undoEarlier takes out what a killed node behind this socket has left. The caller
// has the lock.
func undoEarlier(socket string, log *slog.Logger) error {
	undone, err := routing.UndoJournal(control.JournalPath(socket))
	if len(undone) > 0 && err == nil {
		log.Warn("an earlier node was killed: removed its addresses and routes", "undone", undone)
	}
	return err
}

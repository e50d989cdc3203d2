package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// limit bounds the whole demo.
const limit = 50 * time.Second

// Inside shows the demo in the namespaces that Run made. o.Outside names the
// mount namespace of Run; in that one it refuses to do anything.
func Inside(ctx context.Context, o Options) error {
	if err := enter(o.Outside); err != nil {
		return err
	}
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	running, cancel := context.WithTimeoutCause(running, limit, fmt.Errorf("the demo took longer than %s", limit))
	defer cancel()
	err := o.story()(running, fail, o)
	switch cause := context.Cause(running); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case cause != nil:
		return cause // what came of it says less
	}
	return err
}

// story is what is shown.
func (o Options) story() func(context.Context, context.CancelCauseFunc, Options) error {
	if o.NAT {
		return showMeeting
	}
	return show
}

// show lays the network, tells the story and takes everything away.
func show(ctx context.Context, fail context.CancelCauseFunc, o Options) (err error) {
	t := &tale{screen: newScreen(o), duration: o.Duration, fail: fail, unwatch: func() {}}
	t.journal = newJournal(t.screen)
	l, err := lab.New("demo")
	if err != nil {
		return fmt.Errorf("cannot make the folder of the demo: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := t.lay(l); err != nil {
		return fmt.Errorf("cannot lay the network of the demo: %w", err)
	}
	defer t.end()
	return t.tell(ctx)
}

// lay makes the two hosts, a cable between them, and their nodes.
func (t *tale) lay(l *lab.Lab) error {
	a, err := l.Host("alice")
	if err != nil {
		return err
	}
	b, err := l.Host("bob")
	if err != nil {
		return err
	}
	if _, err := l.Connect(a, b, 0); err != nil {
		return err
	}
	t.alice = newHost("alice", "10.9.0.1/24", a, t.screen, l.Dir())
	t.bob = newHost("bob", "10.9.0.2/24", b, t.screen, l.Dir())
	return nil
}

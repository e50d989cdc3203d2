package circuit

import (
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// oldFor is how long a label is received under after the next one was drawn: the
	// hub uses it until it knows of that.
	oldFor = 10 * time.Second
	// maxOld bounds the old labels of a circuit; the oldest gives way.
	maxOld = 4
)

// labels are those under which a circuit receives.
type labels struct {
	now wire.RecordID
	old []old // oldest first
}

// An old is a label that is still received under, until its timer takes it out.
type old struct {
	label wire.RecordID
	timer *time.Timer
}

// Label is the label under which the circuit receives: what the hub is told.
func (p *Path) Label() wire.RecordID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own.now
}

// Relabel draws another label and returns it. The one before is received under for 10 s
// more. The error is Rand's, or link.ErrClosed.
func (p *Path) Relabel() (wire.RecordID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return wire.RecordID{}, link.ErrClosed
	}
	for {
		label, err := p.x.draw()
		if err != nil {
			return label, err
		}
		if err = p.x.c.Labels.PutLabel(label, p); errors.Is(err, record.ErrTaken) {
			continue // just now
		} else if err != nil {
			return label, err
		}
		p.own.replace(label, p)
		return label, nil
	}
}

// replace makes a label the circuit's; p.mu is held.
func (l *labels) replace(label wire.RecordID, p *Path) {
	if was := l.now; was.Valid() {
		if len(l.old) == maxOld {
			l.old[0].timer.Stop()
			l.take(l.old[0].label, p.x.c.Labels)
		}
		l.old = append(l.old, old{was, time.AfterFunc(oldFor, func() { p.expire(was) })})
	}
	l.now = label
}

// expire ends the receiving under an old label.
func (p *Path) expire(label wire.RecordID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own.take(label, p.x.c.Labels)
}

// take takes an old label out, once: it may be somebody else's later.
func (l *labels) take(label wire.RecordID, from link.Labels) {
	for i := range l.old {
		if l.old[i].label == label {
			from.DeleteLabel(label)
			l.old = append(l.old[:i], l.old[i+1:]...)
			return
		}
	}
}

// clear takes all labels out.
func (l *labels) clear(from link.Labels) {
	for _, o := range l.old {
		o.timer.Stop()
		from.DeleteLabel(o.label)
	}
	if l.now.Valid() {
		from.DeleteLabel(l.now)
	}
	*l = labels{}
}

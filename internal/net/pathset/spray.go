package pathset

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// sprayFlags are those of a MEET or MET.
func sprayFlags(a paths.Action) (flags byte) {
	switch a.Part {
	case paths.Opens:
		flags = wire.MeetOpens
	case paths.Knocks:
		flags = wire.MeetKnocks
	}
	if a.Spray {
		flags |= wire.MeetSpray
	}
	return flags
}

// spray executes an action of a spray. What a network without ports of its own cannot do
// is refused.
func (t *talks) spray(a paths.Action, now time.Time) {
	t.endSpray()
	n, can := t.x.c.Network.(link.Sprayer)
	switch {
	case a.Op == paths.OpenPorts && !can:
		t.x.c.Owner.Later(func(now time.Time) { t.sprayed(paths.PortsRefused, now) })
	case a.Op == paths.OpenPorts:
		t.x.c.Seat.Spray(now)
		var stopped bool // in the loop
		stop := n.OpenPorts(a.Remote, func(e link.PortEvent) {
			t.x.c.Owner.Later(func(now time.Time) {
				if !stopped {
					t.sprayed(portSteps[e], now)
				}
			})
		})
		t.stopPorts = func() { stopped = true; stop() }
	case a.Op == paths.KnockPorts && can:
		t.x.c.Seat.Spray(now)
		t.stopPorts = n.KnockPorts(a.Remote.Addr())
	}
}

// portSteps are what events of ports mean to the machine.
var portSteps = map[link.PortEvent]paths.SprayStep{link.PortsOpen: paths.PortsOpen, link.PortsRefused: paths.PortsRefused, link.PortHeard: paths.PortHeard}

func (t *talks) sprayed(s paths.SprayStep, now time.Time) {
	t.x.handle(now, func(now time.Time) []paths.Action { return t.x.machine.Sprayed(now, s) })
}

// endSpray ends what a spray has begun.
func (t *talks) endSpray() {
	if t.stopPorts != nil {
		t.stopPorts()
		t.stopPorts = nil
	}
}

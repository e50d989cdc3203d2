package node

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/portmap"
	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

// status is what routers say, held against where peers see this node.
func (p *portMapping) status(seen []netip.Addr, now time.Time) (st control.PortMapping) {
	m := p.mapper.Load()
	if m == nil {
		return st
	}
	st.Enabled = true
	for _, r := range m.Status() {
		st.Routers = append(st.Routers, routerStatus(r, seen, now))
	}
	return st
}

func routerStatus(r portmap.Status, seen []netip.Addr, now time.Time) control.RouterStatus {
	shown := control.RouterStatus{Router: r.Gateway.Router.String(), Local: r.Gateway.Local.String(), State: r.Phase.String(), Reason: r.Why.Word()}
	if r.Phase == mapping.Held {
		shown.Protocol, shown.External = r.Mapping.Protocol.String(), r.Mapping.External.String()
		shown.ExpiresMS = max(0, r.Mapping.Expires.Sub(now).Milliseconds())
		shown.Seen = slices.Contains(seen, r.Mapping.External.Addr())
	}
	return shown
}

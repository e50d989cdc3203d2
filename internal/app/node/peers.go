package node

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/names"
	"github.com/libertaria-project/l2tun/session"
)

// peerCalls answer what a caller asks of one peer or of all.
type peerCalls struct{ use *applier }

// who turns an overlay address or a name, also as NAME.l2, into the DID of the peer that
// has it, one of the config before members of networks; what is no peer's stays as it is.
func (p peerCalls) who(peer string) string {
	if c := p.use.config.Load(); c != nil {
		if owner := c.Lookup(peer); owner != nil {
			return owner.DID.String()
		}
	}
	return peer
}

// session is the one with a peer, given by DID, name or overlay address.
func (p peerCalls) session(peer string) (*session.Session, error) {
	return sessionWith(p.use.manager, p.who(peer))
}

// sessions are those that a caller means: a peer's, given by DID or name, or all
// for "".
func sessions(m *session.Manager, who string) ([]*session.Session, error) {
	if who == "" {
		return m.Sessions(), nil
	}
	s, err := sessionWith(m, who)
	if err != nil {
		return nil, err
	}
	return []*session.Session{s}, nil
}

// sessionWith is the session with a peer, given by DID or name, also as NAME.l2. No name
// begins as a DID does.
func sessionWith(m *session.Manager, who string) (*session.Session, error) {
	if d, err := did.Parse(who); err == nil {
		if s, err := m.Session(d); err == nil {
			return s, nil
		}
		return nil, unknown(who)
	}
	all := m.Sessions()
	for _, s := range all {
		if s.Name() == who && who != "" {
			return s, nil
		}
	}
	if name, is := names.Bare(who); is {
		for _, s := range all {
			if s.Name() != "" && strings.EqualFold(s.Name(), name) {
				return s, nil
			}
		}
	}
	return nil, unknown(who)
}

func unknown(who string) error {
	return refuse(http.StatusNotFound, "%s", control.NoPeer(who))
}

// refuse is an answer with a status of its own.
func refuse(code int, format string, args ...any) error {
	return &control.APIError{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// called is what people call a peer.
func called(s *session.Session) string {
	if s.Name() != "" {
		return s.Name()
	}
	return s.DID().Short()
}

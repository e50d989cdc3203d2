package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// callerKey is where a request's context has the uid of its caller.
type callerKey struct{}

// A caller is the remote address of a connection: the user who opened it, as
// the kernel says (SO_PEERCRED). It stands there because that is what survives
// the wrappers around a connection.
type caller struct {
	net.Addr
	uid   int
	known bool
}

// A callerListener accepts connections that know their caller.
type callerListener struct{ *net.UnixListener }

type callerConn struct {
	*net.UnixConn
	from caller
}

func (c *callerConn) RemoteAddr() net.Addr { return c.from }

// Accept implements net.Listener.
func (l callerListener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	uid, err := peerUID(c)
	return &callerConn{c, caller{c.RemoteAddr(), uid, err == nil}}, nil
}

// noteCaller is http.Server.ConnContext.
func noteCaller(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, c.RemoteAddr())
}

// onlyFor lets the node's own user and root pass. The socket's mode keeps others
// out already; this holds when somebody has opened it up, and for a program with
// the right to open everything.
func onlyFor(owner int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(callerKey{}).(caller)
		switch {
		case !c.known:
			refuseCaller(w, fmt.Errorf("the system does not say who calls; the node serves root and its own user (uid %d)", owner))
		case c.uid != 0 && c.uid != owner:
			refuseCaller(w, fmt.Errorf("this node serves root and its own user (uid %d), not uid %d", owner, c.uid))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// refuseCaller ends the connection too: refused ones must not take the places of
// the owner's.
func refuseCaller(w http.ResponseWriter, err error) {
	w.Header().Set("Connection", "close")
	fail(w, http.StatusForbidden, err)
}

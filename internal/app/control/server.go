package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	maxConns     = 32
	maxHeaders   = 16 << 10 // bytes
	maxBody      = 64 << 10 // bytes, but for messages and what acknowledges them
	headerTime   = 5 * time.Second
	callTime     = 30 * time.Second
	idleTime     = time.Minute
	shutdownTime = 2 * time.Second
)

// A Handler is the node as its control socket sees it. Calls come from many
// goroutines.
type Handler interface {
	Status(ctx context.Context) (*Status, error)
	// Down asks the node to stop and returns at once.
	Down()
	// Reload reads the config again and returns when it is in use. An error
	// means that the old one still is; its text goes to the caller.
	Reload(ctx context.Context) error
	Changer

	// In the calls below peer is a DID or a name; "" means all peers where that
	// is said. An error that is an *APIError has its own HTTP status.

	// Rotate replaces the keys of a peer or of all and returns when that is done
	// or ctx ends: one result a peer.
	Rotate(ctx context.Context, peer string) ([]Rotated, error)
	// Send returns when the peer has acknowledged the message.
	Send(ctx context.Context, peer string, msg []byte) error
	// Receive passes messages of a peer or of all to give until ctx ends. A
	// message is dropped after give returned nil. give may be called by several
	// goroutines at once.
	Receive(ctx context.Context, peer string, give func(Message) error) error
	// Events passes past events to show, oldest first, and with follow new ones
	// until ctx ends. It returns the error of show.
	Events(ctx context.Context, follow bool, show func(Event) error) error
}

// A Server answers on the control socket.
type Server struct {
	path string
	file fs.FileInfo // the socket as made, to remove no other
	ln   net.Listener
	http *http.Server
	end  context.CancelFunc // of the long calls
	once sync.Once
	err  error
}

// NewServer binds the socket at path, mode 0600, in place of a stale one. The
// caller holds the interface's lock, runs Serve and calls Close.
func NewServer(path string, h Handler, log *slog.Logger) (*Server, error) {
	if err := RemoveStale(path); err != nil {
		return nil, err
	}
	ln, err := listen(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the control socket is gone: %w", err), ln.Close())
	}
	ending, end := context.WithCancel(context.Background())
	room := newPlaces(callerListener{ln}, maxConns)
	s := &Server{path: path, file: info, ln: room, end: end, http: &http.Server{
		ConnState:         room.state,
		Handler:           named(onlyFor(os.Geteuid(), routes(h, newLongCalls(ending)))),
		ConnContext:       noteCaller,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       callTime,
		WriteTimeout:      callTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	return s, nil
}

// named says in every answer which program gave it.
func named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(programHeader, Program())
		h.ServeHTTP(w, r)
	})
}

// Path is where the socket is.
func (s *Server) Path() string { return s.path }

// Serve answers until Close and then returns nil.
func (s *Server) Serve() error {
	err := s.http.Serve(s.ln)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("the control socket failed: %w", err)
}

// Close ends the calls that wait for something to happen, lets the others finish
// (2 s), and removes the socket. Idempotent.
func (s *Server) Close() error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		s.end()
		if err := s.http.Shutdown(ctx); err != nil {
			s.err = s.http.Close()
		}
		s.ln.Close() // in case Serve was never called
		s.err = errors.Join(s.err, s.removeSocket())
	})
	return s.err
}

func (s *Server) removeSocket() error {
	now, err := os.Lstat(s.path)
	if err != nil || !os.SameFile(now, s.file) {
		return nil
	}
	return os.Remove(s.path)
}

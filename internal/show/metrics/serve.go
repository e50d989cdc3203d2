package metrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	maxScrapes   = 4 // connections of the TCP listener
	scrapeTime   = 10 * time.Second
	shutdownTime = time.Second
)

// Handler answers scrapes with the node's metrics and those of Go and the process.
func Handler(c *Collector) http.Handler {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime})
}

// A Server answers scrapes on a loopback address until Close.
type Server struct {
	http   *http.Server
	ln     net.Listener
	served chan struct{}
}

// Serve listens on at, path /metrics.
func Serve(at netip.AddrPort, h http.Handler) (*Server, error) {
	if !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("%w: %s", ErrNotLoopback, at)
	}
	ln, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("metrics: cannot listen on %s: %w", at, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", local(h))
	s := &Server{ln: ln, served: make(chan struct{}), http: &http.Server{Handler: mux, ReadTimeout: scrapeTime, WriteTimeout: 2 * scrapeTime,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}}
	go func() { // ends with Close
		defer close(s.served)
		s.http.Serve(netutil.LimitListener(ln, maxScrapes))
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close ends it and waits.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.served
}

// local refuses what names another host: a web page that lets its own name point
// to 127.0.0.1 would read the answer otherwise.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
			http.Error(w, "this address answers to its own name only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

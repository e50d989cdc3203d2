package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// PingTime is how long POST /v1/ping waits for an answer at most.
const PingTime = 10 * time.Second

// trailers of a capture.
const (
	trailerPackets = "L2tun-Packets"
	trailerDropped = "L2tun-Dropped"
)

// An Observer is a Handler that can also be looked into. A server whose handler
// is none answers these calls as it does unknown ones.
type Observer interface {
	// Metrics answers scrapes.
	Metrics() http.Handler
	// Ping sends one probe to a peer, on the path in use, and waits for its echo.
	Ping(ctx context.Context, peer string) (Pong, error)
	// Prefer makes the node send by a carrier whenever it can, or by the best for "".
	Prefer(ctx context.Context, peer, carrier string) error
	// Why says whether a peer may send something to an address of this node, or behind
	// it, and which line says so.
	Why(ctx context.Context, peer, traffic, to string) (Why, error)
	// Netcheck says how this node can be reached.
	Netcheck(ctx context.Context) (Netcheck, error)
	// Capture writes the packets of a peer, or of all, to w as pcapng until ctx
	// ends or there were count. begin is called once it is sure to go on.
	Capture(ctx context.Context, o CaptureOptions, begin func(), w io.Writer) (Captured, error)
}

// A Pong is the answer to one ping.
type Pong struct {
	Stamp
	DID         string  `json:"did"`
	Name        string  `json:"name"`
	Link        string  `json:"link"`
	Carrier     string  `json:"carrier"`
	Through     string  `json:"through"` // DID of the hub that forwards; "" on every other path
	ThroughName string  `json:"through_name"`
	Local       string  `json:"local"`  // where it left
	Remote      string  `json:"remote"` // where it was sent
	Epoch       uint64  `json:"epoch"`
	RTTMS       float64 `json:"rtt_ms"`
}

// CaptureOptions say what to capture.
type CaptureOptions struct {
	Peer    string // DID or name; "" means all
	Count   int    // packets; 0: no end
	SnapLen int    // bytes of each packet; 0: all
}

// Captured is what a capture came to.
type Captured struct{ Packets, Dropped uint64 }

// observe adds the calls of an Observer.
func observe(mux *http.ServeMux, o Observer, long *longCalls) {
	mux.Handle("GET /metrics", o.Metrics())
	mux.HandleFunc("POST /v1/ping", pingHandler(o))
	mux.HandleFunc("POST /v1/prefer", preferHandler(o))
	mux.HandleFunc("GET /v1/netcheck", netcheckHandler(o))
	mux.HandleFunc("GET /v1/why", whyHandler(o))
	mux.HandleFunc("POST /v1/capture", long.lasting(captureHandler(o)))
}

func pingHandler(o Observer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel, err := timed(r)
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		defer cancel()
		ctx, stop := context.WithTimeout(ctx, PingTime)
		defer stop()
		pong, err := o.Ping(ctx, r.URL.Query().Get("peer"))
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		pong.Stamp = NewStamp()
		reply(w, http.StatusOK, pong)
	}
}

func preferHandler(o Observer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if err := o.Prefer(r.Context(), q.Get("peer"), q.Get("carrier")); err != nil {
			fail(w, codeOf(err), err)
			return
		}
		reply(w, http.StatusOK, struct{}{})
	}
}

// captureHandler streams until the caller ends its body; then the end of the
// stream says what was lost. A caller that just disconnects loses only that.
func captureHandler(o Observer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := captureOptions(r)
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		untimed(w)
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			fail(w, http.StatusInternalServerError, err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		read := make(chan struct{})
		go func() {
			defer close(read)
			defer cancel()
			io.Copy(io.Discard, io.LimitReader(r.Body, 1)) // there is nothing in it but its end
		}()
		begun := false
		got, err := o.Capture(ctx, c, func() { begun = true; beginCapture(w) }, flushing{w, control})
		if begun { // an error only ends the stream now
			w.Header().Set(trailerPackets, strconv.FormatUint(got.Packets, 10))
			w.Header().Set(trailerDropped, strconv.FormatUint(got.Dropped, 10))
		} else if err != nil {
			fail(w, codeOf(err), err)
		}
		control.SetReadDeadline(time.Now()) // ends the reader
		<-read
	}
}

func beginCapture(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Trailer", trailerPackets+", "+trailerDropped)
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
}

func captureOptions(r *http.Request) (o CaptureOptions, err error) {
	q := r.URL.Query()
	o.Peer = q.Get("peer")
	for name, into := range map[string]*int{"count": &o.Count, "snaplen": &o.SnapLen} {
		if text := q.Get(name); text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 0 {
				return o, &APIError{http.StatusBadRequest, name + " is not a whole number from 0"}
			}
		}
	}
	return o, nil
}

// flushing is a writer that flushes after each write.
type flushing struct {
	io.Writer
	c *http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}

// Metrics copies the node's metrics in the text format to w.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	resp, err := c.open(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, io.LimitReader(resp.Body, maxReply)); err != nil {
		return c.explain(err)
	}
	return nil
}

// Ping asks the node for one round trip to a peer, given by DID or name, and waits
// at most timeout (10 s for 0). *APIError: 404 unknown peer, 409 no path is in
// use, 504 no answer.
func (c *Client) Ping(ctx context.Context, peer string, timeout time.Duration) (Pong, error) {
	wait := ""
	if timeout > 0 {
		wait = timeout.String()
	}
	var p Pong
	err := c.call(ctx, http.MethodPost, "/v1/ping?"+query("peer", peer, "timeout", wait), &p)
	return p, err
}

// Prefer makes the node send to a peer by a carrier whenever it can, "" by the
// best. *APIError: 404 unknown peer, 400 no such carrier or switched off.
func (c *Client) Prefer(ctx context.Context, peer, carrier string) error {
	return c.call(ctx, http.MethodPost, "/v1/prefer?"+query("peer", peer, "carrier", carrier), nil)
}

// Capture copies pcapng to w until ctx ends, there were enough packets, or the
// node stops, and returns what it came to. begun, if not nil, is called when the
// capture runs. *APIError for an unknown peer or too many captures.
func (c *Client) Capture(ctx context.Context, o CaptureOptions, begun func(), w io.Writer) (Captured, error) {
	body, hold := io.Pipe()
	defer hold.Close()
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		hold.Close()
		time.AfterFunc(finishTime, cancel) // a node that does not end it
	})()
	path := "/v1/capture?" + query("peer", o.Peer, "count", number(o.Count), "snaplen", number(o.SnapLen))
	resp, err := c.open(whole, http.MethodPost, path, body)
	if err != nil {
		return Captured{}, err
	}
	defer resp.Body.Close()
	if begun != nil {
		begun()
	}
	_, err = io.Copy(w, resp.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = c.stopped()
	} else if err != nil {
		err = fmt.Errorf("the capture ended: %w", err)
	}
	var got Captured
	got.Packets, _ = strconv.ParseUint(resp.Trailer.Get(trailerPackets), 10, 64)
	got.Dropped, _ = strconv.ParseUint(resp.Trailer.Get(trailerDropped), 10, 64)
	return got, err
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Netcheck asks the node how it can be reached.
func (c *Client) Netcheck(ctx context.Context) (n Netcheck, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/netcheck", &n)
	return n, err
}

// Why asks whether a peer, given by DID or name, may send traffic such as "tcp:22" to an
// address; "": to the node's own. *APIError: 404 unknown peer, 400 no such traffic or
// address.
func (c *Client) Why(ctx context.Context, peer, traffic, to string) (why Why, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/why?"+query("peer", peer, "traffic", traffic, "to", to), &why)
	return why, err
}

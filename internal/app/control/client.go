package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

const (
	maxReply = 64 << 20 // bytes
	gonePoll = 10 * time.Millisecond
)

// A Client talks to the node behind one socket.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client of the node at socket; it connects with the first call.
func New(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks the node how it is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	if err := c.call(ctx, http.MethodGet, "/v1/status", &s); err != nil {
		return nil, err
	}
	if s.Version > StatusVersion {
		return nil, fmt.Errorf("the node is %s, whose status this %s does not understand; use programs of one version", s.Program, Program())
	}
	s.fill()
	return &s, nil
}

// Reload makes the node read its config again and returns when it is in use.
// *APIError if the node refuses it.
func (c *Client) Reload(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/reload", nil)
}

// ReloadFor makes the node read its config again, and go back to the one before
// unless Confirm comes within d, MinConfirm to MaxConfirm.
func (c *Client) ReloadFor(ctx context.Context, d time.Duration) error {
	return c.call(ctx, http.MethodPost, "/v1/reload?"+query("confirm", d.String()), nil)
}

// Confirm keeps the change that waits to be confirmed. *APIError if none does.
func (c *Client) Confirm(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/confirm", nil)
}

// Rotate replaces the keys shared with a peer, given by DID or name, or with all
// peers for "". It returns one result a peer once each has a new epoch in use,
// 5 s later at most. *APIError for an unknown peer.
func (c *Client) Rotate(ctx context.Context, peer string) ([]Rotated, error) {
	var r rotation
	err := c.call(ctx, http.MethodPost, "/v1/rotate?"+query("peer", peer), &r)
	return r.Peers, err
}

// Down stops the node and returns when its socket is gone and the lock beside it
// is free, which a node lets go last: then interface and routes are gone too.
func (c *Client) Down(ctx context.Context) error {
	before, err := os.Stat(c.socket)
	if err != nil {
		return c.explain(err)
	}
	if err := c.call(ctx, http.MethodPost, "/v1/down", nil); err != nil {
		return err
	}
	if err := c.waitGone(ctx, before); err != nil {
		return err
	}
	return waitFree(ctx, lockOf(c.socket))
}

func (c *Client) waitGone(ctx context.Context, before fs.FileInfo) error {
	for {
		now, err := os.Stat(c.socket)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !os.SameFile(before, now)) {
			return nil
		}
		if !pause(ctx, gonePoll) {
			return c.stillThere()
		}
	}
}

func (c *Client) stillThere() error {
	if answers(c.socket) {
		return fmt.Errorf("the node at %s was asked to stop and still runs", c.socket)
	}
	return fmt.Errorf("the node stopped answering but did not remove its socket %s", c.socket)
}

// Members asks for the members of a network. *APIError if there is no such network.
func (c *Client) Members(ctx context.Context, network string) (all []Member, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/network/members?"+query("network", network), &all)
	return all, err
}

// ChangeNetwork has the node do what a person asks for. *APIError if it refuses.
func (c *Client) ChangeNetwork(ctx context.Context, ch NetworkChange) (done NetworkChanged, err error) {
	body, err := json.Marshal(ch)
	if err != nil {
		return done, err
	}
	resp, err := c.open(ctx, http.MethodPost, "/v1/network/change", bytes.NewReader(body))
	if err != nil {
		return done, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return done, c.explain(err)
	}
	if json.Unmarshal(text, &done) != nil {
		return done, c.unreadable(errors.New("no JSON"))
	}
	return done, nil
}

// call does one request; a nil into throws the answer away.
func (c *Client) call(ctx context.Context, method, path string, into any) error {
	resp, err := c.open(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return c.explain(err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return c.unreadable(err)
	}
	return nil
}

// open begins a request; the caller closes the body of the answer. What the node
// refuses is an *APIError.
func (c *Client) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://l2tun"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, c.explain(err)
	}
	return nil, refusal(resp.StatusCode, said).from(resp.Header.Get(programHeader))
}

func refusal(code int, body []byte) *APIError {
	var e errorBody
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		e.Error = fmt.Sprintf("the node answered %d %s", code, http.StatusText(code))
	}
	return &APIError{code, e.Error}
}

func (c *Client) unreadable(err error) error {
	return fmt.Errorf("the node at %s gave an answer that this program does not understand: %w", c.socket, err)
}

func (c *Client) stopped() error { return fmt.Errorf("the node at %s stopped", c.socket) }

// explain turns what connecting and waiting can fail with into a sentence.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return stated(ErrNotRunning, "no socket at %s", c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return stated(ErrNotRunning, "nobody answers at %s", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("not allowed to talk to the node at %s; run this as root or as the user who started it", c.socket)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the node at %s did not answer in time", c.socket)
	case errors.Is(err, context.Canceled):
		return ErrInterrupted
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("talking to the node at %s failed: %w", c.socket, err)
}

// query encodes names and values; empty values are left out.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q.Encode()
}

package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An observedNode can be looked into.
type observedNode struct {
	*fakeNode
	asked   CaptureOptions
	carrier string
	refuse  error
}

func (o *observedNode) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "l2tun_peers 1\n") })
}

func (o *observedNode) Ping(ctx context.Context, peer string) (Pong, error) {
	if peer == "slow" {
		<-ctx.Done()
		return Pong{}, &APIError{http.StatusGatewayTimeout, "slow did not answer in time"}
	}
	return Pong{Name: peer, Link: "quic", Carrier: "direct", RTTMS: 1.5}, o.refuse
}

func (o *observedNode) Prefer(_ context.Context, _, carrier string) error {
	o.carrier = carrier
	return o.refuse
}

func (o *observedNode) Why(_ context.Context, peer, traffic, to string) (Why, error) {
	return Why{Name: peer, Traffic: traffic, To: to, Allowed: true, By: "[[only]] of line 12"}, o.refuse
}

func (o *observedNode) Capture(ctx context.Context, c CaptureOptions, begin func(), w io.Writer) (Captured, error) {
	o.asked = c
	if o.refuse != nil {
		return Captured{}, o.refuse
	}
	begin()
	for n := 0; n != c.Count || n == 0; n++ {
		if _, err := io.WriteString(w, "packet\n"); err != nil {
			return Captured{}, err
		}
		select {
		case <-ctx.Done():
			_, err := io.WriteString(w, "end\n")
			return Captured{uint64(n + 1), 7}, err
		case <-time.After(time.Millisecond):
		}
	}
	return Captured{uint64(c.Count), 0}, nil
}

func TestMetricsPingAndPrefer(t *testing.T) {
	n := &observedNode{fakeNode: &fakeNode{}}
	_, c := start(t, n)
	var b bytes.Buffer
	if err := c.Metrics(t.Context(), &b); err != nil || b.String() != "l2tun_peers 1\n" {
		t.Errorf("%q %v", b.String(), err)
	}
	p, err := c.Ping(t.Context(), "bob", 0)
	if err != nil || p.Name != "bob" || p.RTTMS != 1.5 || p.Version != JSONVersion || p.Program != Program() {
		t.Errorf("%+v %v", p, err)
	}
	_, err = c.Ping(t.Context(), "slow", 20*time.Millisecond)
	if ae, ok := errors.AsType[*APIError](err); !ok || ae.Code != http.StatusGatewayTimeout {
		t.Error(err)
	}
	if err := c.Prefer(t.Context(), "bob", "utcp"); err != nil || n.carrier != "utcp" {
		t.Error(err, n.carrier)
	}
	why, err := c.Why(t.Context(), "bob", "tcp:22", "10.9.0.1")
	if err != nil || why.Name != "bob" || why.Traffic != "tcp:22" || why.To != "10.9.0.1" || !why.Allowed || why.By == "" || why.Program != Program() {
		t.Errorf("%+v %v", why, err)
	}
	n.refuse = &APIError{http.StatusNotFound, "there is no peer"}
	if _, err := c.Why(t.Context(), "x", "tcp:22", ""); err == nil || err.Error() != "there is no peer" {
		t.Error(err)
	}
	if err := c.Prefer(t.Context(), "x", ""); err == nil || err.Error() != "there is no peer" {
		t.Error(err)
	}
}

// A capture ends when the caller has enough: the end of the stream and what was
// lost still arrive.
func TestCaptureEndsWell(t *testing.T) {
	n := &observedNode{fakeNode: &fakeNode{}}
	_, c := start(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	var b bytes.Buffer
	got, err := c.Capture(ctx, CaptureOptions{Peer: "bob", SnapLen: 96}, func() { time.AfterFunc(20*time.Millisecond, cancel) }, &b)
	if err != nil || got.Packets == 0 || got.Dropped != 7 || !strings.HasSuffix(b.String(), "packet\nend\n") {
		t.Errorf("%+v %v %q", got, err, b.String())
	}
	if n.asked != (CaptureOptions{"bob", 0, 96}) {
		t.Errorf("%+v", n.asked)
	}
	b.Reset()
	if got, err := c.Capture(t.Context(), CaptureOptions{Count: 3}, nil, &b); err != nil || got.Packets != 3 || b.String() != "packet\npacket\npacket\n" {
		t.Errorf("%+v %v %q", got, err, b.String())
	}
	n.refuse = &APIError{http.StatusServiceUnavailable, "four captures run already"}
	if _, err := c.Capture(t.Context(), CaptureOptions{}, nil, &b); err == nil || err.Error() != "four captures run already" {
		t.Error(err)
	}
}

// A full disk ends the capture with a sentence.
func TestCaptureWhoseFileIsFull(t *testing.T) {
	_, c := start(t, &observedNode{fakeNode: &fakeNode{}})
	full := errors.New("no space left on device")
	_, err := c.Capture(t.Context(), CaptureOptions{}, nil, failing{full})
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A node without these calls says so.
func TestANodeThatCannotBeObserved(t *testing.T) {
	_, c := start(t, &fakeNode{})
	if _, err := c.Ping(t.Context(), "bob", 0); err == nil || !strings.Contains(err.Error(), "knows no such call") {
		t.Error(err)
	}
}

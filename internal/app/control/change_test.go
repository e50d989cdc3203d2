package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestChangesCanWaitToBeConfirmed(t *testing.T) {
	f := &fakeNode{}
	_, c := start(t, f)
	if err := c.ReloadFor(t.Context(), time.Minute); err != nil || f.within != time.Minute {
		t.Error(f.within, err)
	}
	if err := c.Confirm(t.Context()); err != nil {
		t.Error(err)
	}
	for _, d := range []time.Duration{0, time.Millisecond, 2 * time.Hour} {
		var ae *APIError
		if err := c.ReloadFor(t.Context(), d); !errors.As(err, &ae) || ae.Code != 400 {
			t.Errorf("%v: %v", d, err)
		}
	}
	f.err = &APIError{409, "nothing waits"}
	for _, err := range []error{c.Confirm(t.Context()), c.ReloadFor(t.Context(), time.Second), c.Reload(t.Context())} {
		var ae *APIError
		if !errors.As(err, &ae) || ae.Code != 409 || ae.Msg != "nothing waits" {
			t.Error(err)
		}
	}
}

// other answers as a node of another program does.
func other(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: f}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return New(path)
}

// A refusal of a node of another version says so, in the same sentence.
func TestAnotherVersionIsNamedWhereItMatters(t *testing.T) {
	c := other(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(programHeader, "l2tun 9.0")
		if strings.HasSuffix(r.URL.Path, "/status") {
			reply(w, 200, Status{Version: StatusVersion + 1, Program: "l2tun 9.0"})
			return
		}
		fail(w, 404, errors.New("this node knows no such call"))
	})
	err := c.Confirm(context.Background())
	if want := "this node knows no such call (the node is l2tun 9.0 and this is " + Program() + "; restart the node)"; err == nil || err.Error() != want {
		t.Error(err)
	}
	_, err = c.Status(context.Background())
	if err == nil || !strings.Contains(err.Error(), "the node is l2tun 9.0, whose status this "+Program()+" does not understand") {
		t.Error(err)
	}
}

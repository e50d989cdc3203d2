package control

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// A thousand clients that connect and say nothing, and go on connecting.
func TestThousandSilentClients(t *testing.T) {
	s, c := start(t, &fakeNode{status: &Status{}})
	const silent = 1000
	var worst time.Duration
	heap := faults.WatchHeap()
	for i := range silent {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%100 == 99 {
			begin := time.Now()
			if _, err := New(s.Path()).Status(t.Context()); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, time.Since(begin))
		}
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	heap.End()
	if worst > 2*time.Second {
		t.Errorf("answered after %v", worst)
	}
	faults.Report(t, "C12", worst <= 100*time.Millisecond, "10 calls among %d silent clients: the slowest answered after %v; %v", silent, worst.Round(10*time.Microsecond), heap)
}

// Silent connections make room; those with a call under way do not.
func TestPlacesAreTakenFromTheSilent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlaces(ln, 2)
	defer p.Close()
	accept := func() net.Conn {
		t.Helper()
		out, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { out.Close() })
		in, err := p.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		return in
	}
	one, two := accept(), accept()
	p.state(one, 1) // active
	three := accept()
	if _, err := two.Write([]byte("x")); err == nil {
		t.Error("the silent one is still there")
	}
	p.state(two, 4) // closed
	p.state(three, 1)
	accepted := make(chan error, 1)
	go func() { _, err := p.Accept(); accepted <- err }()
	select {
	case err := <-accepted:
		t.Fatalf("accepted although both places have calls: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Close()
	if err := <-accepted; err == nil {
		t.Error("accepted after Close")
	}
}

// Others than HTTP clients, and what may lie in the socket's place.
func TestOddClients(t *testing.T) {
	s, c := start(t, &fakeNode{status: &Status{}})
	heap := faults.WatchHeap()
	for name, first := range map[string]string{
		"a TLS hello":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no HTTP":               "status\n",
		"another host's path":   "GET http://evil/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"a negative length":     "POST /v1/send?peer=x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"two lengths":           "POST /v1/send?peer=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"a line of 100 MB":      "GET /" + strings.Repeat("x", 1<<20),
		"a header of 100 MB":    "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20),
		"a body without an end": "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
	} {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		written := 0
		for more := 0; more < 100; more++ { // the long ones go on until the node has had enough
			n, err := conn.Write([]byte(first))
			if written += n; err != nil || len(first) < 1<<20 {
				break
			}
			first = strings.Repeat("x", 1<<20)
		}
		conn.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if strings.Contains(string(answer), " 200 ") && name != "a body without an end" {
			t.Errorf("%s: %.200s", name, answer)
		}
		if written > 2<<20 {
			t.Errorf("%s: the node has read %d bytes", name, written)
		}
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
	heap.End()

	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	for name, plant := range map[string]func(path string) error{
		"a link to a file": func(path string) error { return os.Symlink(target, path) },
		"a FIFO":           func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":         func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		if _, err := NewServer(path, &fakeNode{}, nil); err == nil || !strings.Contains(err.Error(), "is not a socket") {
			t.Errorf("%s in the socket's place: %v", name, err)
		}
		if b, err := os.ReadFile(target); err != nil || string(b) != "kept" {
			t.Errorf("%s: the file behind it: %q, %v", name, b, err)
		}
	}
	faults.Report(t, "C11", true, "8 odd clients, lines of 100 MB among them: refused, at most 2 MiB read, %v; links, FIFOs and folders in the socket's place: refused and left alone", heap)
}

package portmap

import (
	"bytes"
	"io"
	"net/netip"
	"net/url"
	"testing"

	"github.com/libertaria-project/l2tun/test/router"
)

var at = netip.MustParseAddr("192.168.1.1")

func TestOnlyLocationsAtTheRouterAreTaken(t *testing.T) {
	for location, want := range map[string]bool{
		"http://192.168.1.1:5000/d.xml": true, "http://192.168.1.1/": true, "HTTP://192.168.1.1/": true,
		"https://192.168.1.1/": false, "http://192.168.1.2/": false, "http://192.168.1.1.example/": false, "http://localhost/": false,
		"http://user@192.168.1.1/": false, "http://192.168.1.1@10.0.0.1/": false, "http://[::ffff:192.168.1.1]/": false, "file:///etc/passwd": false,
		"//192.168.1.1/": false, "": false, "http://": false, "http://0300.0250.1.1/": false, "http://3232235777/": false,
	} {
		got := locate([]byte("HTTP/1.1 200 OK\r\nLocation: "+location+"\r\n\r\n"), at)
		if (got != nil) != want {
			t.Errorf("%q: %v", location, got)
		}
	}
	for _, packet := range []string{"", "HTTP/1.1 404 No\r\nLocation: http://192.168.1.1/\r\n\r\n", "NOTIFY * HTTP/1.1\r\nLocation: http://192.168.1.1/\r\n\r\n"} {
		if got := locate([]byte(packet), at); got != nil {
			t.Errorf("%q: %v", packet, got)
		}
	}
}

func FuzzLocation(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nLocation: http://192.168.1.1:5000/d.xml\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1@10.0.0.1/\r\nTransfer-Encoding: chunked\r\n\r\nff"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if u := locate(packet, at); u != nil && (u.Scheme != "http" || u.Hostname() != at.String()) {
			t.Errorf("%v", u)
		}
	})
}

// FuzzDescription reads anything as a description and keeps no service elsewhere.
func FuzzDescription(f *testing.F) {
	f.Add([]byte(router.Described("http://192.168.1.1:5000/")))
	f.Add([]byte(router.Described("http://10.0.0.1/")))
	f.Add([]byte("<root><URLBase>:</URLBase></root>"))
	where := &url.URL{Scheme: "http", Host: "192.168.1.1:5000", Path: "/d.xml"}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, err := readDescription(io.LimitReader(bytes.NewReader(text), maxBody), where)
		if err != nil {
			return
		}
		all := services(root, where, at)
		for _, s := range all {
			if u := &s.soap.EndpointURL; u.Scheme != "http" || u.Hostname() != at.String() || len(all) > maxServices {
				t.Errorf("%v, one of %d", u, len(all))
			}
		}
	})
}

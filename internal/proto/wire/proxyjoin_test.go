package wire

import (
	"bytes"
	"testing"
)

// SPEC R-6.11-5: exact length, a joining node, a known step, something sealed.
func TestProxyJoinIsExact(t *testing.T) {
	good := ProxyJoin{Step: ProxyAsks, Number: 7, ID: [4]byte{1, 2, 3, 4}, Joining: [DigestSize]byte{9}, Sealed: []byte("sealed")}
	frame := good.Append(nil)
	if p, ok := ParseProxyJoin(frame); !ok || !bytes.Equal(p.Append(nil), frame) || p.Number != 7 {
		t.Fatalf("%+v %v", p, ok)
	}
	for n := range frame {
		if _, ok := ParseProxyJoin(frame[:n]); ok {
			t.Errorf("%d of %d bytes are taken", n, len(frame))
		}
	}
	if _, ok := ParseProxyJoin(append(bytes.Clone(frame), 0)); ok {
		t.Error("a byte too many is taken")
	}
	for name, wrong := range map[string]func(p *ProxyJoin){
		"no step":         func(p *ProxyJoin) { p.Step = 0 },
		"step 4":          func(p *ProxyJoin) { p.Step = 4 },
		"nobody":          func(p *ProxyJoin) { p.Joining = [DigestSize]byte{} },
		"an empty ask":    func(p *ProxyJoin) { p.Sealed = nil },
		"an empty yes":    func(p *ProxyJoin) { p.Step, p.Sealed = ProxyAgreed, nil },
		"1281 bytes":      func(p *ProxyJoin) { p.Sealed = make([]byte, MaxProxySealed+1) },
		"a full 64K":      func(p *ProxyJoin) { p.Sealed = make([]byte, 1<<16-1) },
		"wraps to length": func(p *ProxyJoin) { p.Sealed = make([]byte, 1<<16+4) },
	} {
		p := good
		wrong(&p)
		if _, ok := ParseProxyJoin(p.Append(nil)); ok || p.Valid() {
			t.Errorf("%s is taken", name)
		}
	}
	if p, ok := ParseProxyJoin(ProxyJoin{Step: ProxyRefused, Joining: [DigestSize]byte{9}}.Append(nil)); !ok || len(p.Sealed) != 0 {
		t.Error("a refusal without a word is not taken")
	}
}

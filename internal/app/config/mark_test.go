package config

import (
	"strings"
	"testing"
)

// The mark keeps clear of bits that others use, can be another, and can be none.
// docs/node.md 8.
func TestMark(t *testing.T) {
	for text, want := range map[string]Mark{
		"":                             {0x6c, 0xff},
		"mark = \"0\"\n":               {},
		"mark = \"0x6c/0xff\"\n":       {0x6c, 0xff},
		"mark = \"0x300/0xf00\"\n":     {0x300, 0xf00},
		"mark = \"108\"\n":             {108, 0xffffffff},
		"mark = \"0/0xff\"\n":          {},
		"mark = \"0xffffffff\"\n":      {0xffffffff, 0xffffffff},
		"mark = \"0b11/0o7\"\n":        {3, 7},
		"mark = \"1_0/0xffff_ffff\"\n": {10, 0xffffffff},
	} {
		c, err := Parse("f", []byte(text))
		if err != nil || c.Mark != want {
			t.Errorf("%q: %+v %v", text, c, err)
		}
		if err == nil {
			if again, err := parseMark(c.Mark.String()); err != nil || again != c.Mark {
				t.Errorf("%s is read as %v, %v", c.Mark, again, err)
			}
		}
	}
	if d := DefaultMark(); d.Value&0x4000 != 0 || d.Value&0xc000 != 0 { // kube-proxy's, and the other of Kubernetes'
		t.Errorf("the default %s has bits of Kubernetes", d)
	}
	for _, text := range []string{"x", "0x100/0xff", "-1", "0x6c/", "/0xff", "0x1ffffffff", "1/2/3"} {
		if _, err := Parse("f", []byte("mark = \""+text+"\"\n")); err == nil || !strings.Contains(err.Error(), "f:1:") || !strings.Contains(err.Error(), "mark") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

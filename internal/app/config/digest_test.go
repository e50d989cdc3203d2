package config

import "testing"

func TestDigestIsOfTheMeaning(t *testing.T) {
	digest := func(text string) string {
		c, err := Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest()
	}
	base := digest("mtu = 1400\nlisten = \"[::]:1\"\n")
	if digest("# a comment\nlisten = \"[::]:1\"\n\nmtu = 1400 # bytes\n") != base {
		t.Error("layout and comments change it")
	}
	for _, other := range []string{"", "mtu = 1401\nlisten = \"[::]:1\"\n", "mtu = 1400\nlisten = \"[::]:1\"\nmetrics = \"127.0.0.1:1\"\n",
		"mtu = 1400\nlisten = \"[::]:1\"\n[session]\nttl = \"3h\"\n"} {
		if digest(other) == base {
			t.Errorf("%q has the same", other)
		}
	}
}

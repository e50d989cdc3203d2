package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Parts that were written, of other files and of none are left alone.
func TestOnlyTheProgramsOwnPagesAreGivenBack(t *testing.T) {
	const smaps = `00400000-00f01000 r-xp 00000000 fe:00 998 /usr/bin/l2tun
Size:              11268 kB
Anonymous:             0 kB
00f01000-01b68000 r--p 00b01000 fe:00 998 /usr/bin/l2tun
Anonymous:             0 kB
01b68000-01b69000 r--p 01768000 fe:00 998 /usr/bin/l2tun
Anonymous:             4 kB
01b69000-01c59000 rw-p 01769000 fe:00 998 /usr/bin/l2tun
Anonymous:             0 kB
01c59000-01ca0000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000100000 r-xp 00000000 fe:00 111 /usr/lib/libc.so.6
Anonymous:             0 kB
`
	if got := programSpans(smaps); !slices.Equal(got, []span{{0x400000, 0xf01000}, {0xf01000, 0x1b68000}}) {
		t.Errorf("%x", got)
	}
}

// The program goes on, with less of it resident.
func TestUnmappedPagesComeBack(t *testing.T) {
	resident := func() (file string) {
		text, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "RssFile:") {
				file = strings.TrimSpace(line)
			}
		}
		return file
	}
	before := resident()
	give := unmapping()
	for range 3 {
		give()
	}
	t.Log(before, "and then", resident())
	if got := programSpans("garbage\nAnonymous: 0 kB\n-"); got != nil {
		t.Error(got)
	}
}

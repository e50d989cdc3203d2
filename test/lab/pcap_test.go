package lab

import (
	"bytes"
	"testing"
	"time"
)

// twoPackets is a file header, a packet "ab" and a packet of 4 bytes cut off
// after 3.
var twoPackets = "\xd4\xc3\xb2\xa1" + string(make([]byte, 20)) +
	string(make([]byte, 8)) + "\x02\x00\x00\x00\x02\x00\x00\x00ab" +
	string(make([]byte, 8)) + "\x04\x00\x00\x00\x04\x00\x00\x00abc"

func TestPcapLeavesOffACutPacket(t *testing.T) {
	got, err := parsePcap([]byte(twoPackets))
	if err != nil || len(got) != 1 || !bytes.Equal(got[0], []byte("ab")) {
		t.Errorf("packets %q: %v", got, err)
	}
	for n := range 24 {
		if _, err := parsePcap([]byte(twoPackets[:n])); err == nil {
			t.Errorf("a header of %d bytes was taken", n)
		}
	}
}

func TestPcapReadsWhatItWrites(t *testing.T) {
	file := appendPcap(appendPcap(pcapHeader(linkEthernet), time.Now(), []byte("one")), time.Now(), nil)
	got, err := parsePcap(file)
	if err != nil || len(got) != 2 || string(got[0]) != "one" || len(got[1]) != 0 {
		t.Errorf("packets %q: %v", got, err)
	}
}

func FuzzPcap(f *testing.F) {
	f.Add([]byte(twoPackets))
	f.Fuzz(func(t *testing.T, b []byte) {
		packets, err := parsePcap(b)
		total := 0
		for _, p := range packets {
			total += 16 + len(p)
		}
		if err == nil && 24+total > len(b) {
			t.Errorf("%d bytes of packets out of a file of %d", total, len(b))
		}
	})
}

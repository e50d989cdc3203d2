package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ping is an IPv4 echo request from 10.9.0.1 to 10.9.0.2, whole.
func ping() []byte {
	return []byte{0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xcc, 10, 9, 0, 1, 10, 9, 0, 2, 8, 0, 0xf7, 0xfd, 0, 1, 0, 1}
}

func write(t *testing.T, w io.Writer) {
	t.Helper()
	c, err := NewWriter(w, "l2tun test", "l2tun0", 28)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	for _, p := range []Packet{{at, "berlin", true, 28, append(ping(), 1, 2, 3)}, {at.Add(time.Second), "berlin", false, 28, ping()[:20]}} {
		if err := c.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.End(7); err != nil || c.Packets() != 2 {
		t.Fatal(err, c.Packets())
	}
}

func TestStreamIsReadBack(t *testing.T) {
	var b bytes.Buffer
	write(t, &b)
	r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != layers.LinkTypeRaw || r.SectionInfo().Application != "l2tun test" {
		t.Fatal(r.LinkType(), r.SectionInfo())
	}
	for i, want := range []struct {
		dir pcapgo.NgEpbFlag
		n   int
	}{{pcapgo.NgEpbFlagDirectionOutbound, 28}, {pcapgo.NgEpbFlagDirectionInbound, 20}} {
		data, info, opts, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, ping()[:want.n]) || info.Length != 28 || info.Timestamp.Nanosecond() != 6789 ||
			opts.Flags == nil || opts.Flags.Direction != want.dir || len(opts.Comments) != 1 || opts.Comments[0] != "berlin" {
			t.Errorf("packet %d: % x %+v %+v", i, data, info, opts)
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Fatal(err)
	}
	if i, err := r.Interface(0); err != nil || i.Name != "l2tun0" || i.Statistics.PacketsDropped != 7 || i.Statistics.PacketsReceived != 9 {
		t.Fatalf("%+v %v", i, err)
	}
}

// Head and packets are, byte by byte, what another writer makes of them: names, comments
// and packets of every length modulo four.
func TestStreamIsThatOfAnotherWriter(t *testing.T) {
	var ours, theirs bytes.Buffer
	w, err := NewWriter(&ours, "l2tun test", "l2tun0", MaxPacket)
	if err != nil {
		t.Fatal(err)
	}
	ng, err := pcapgo.NewNgWriterInterface(&theirs, pcapgo.NgInterface{Name: "l2tun0", LinkType: layers.LinkTypeRaw, SnapLength: MaxPacket, TimestampResolution: 9},
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "l2tun test"}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	for n := range len(ping()) + 1 {
		p := Packet{At: at.Add(time.Duration(n)), Peer: "berlin"[:n%7], Out: n%2 == 0, Len: 28, Data: ping()[:n]}
		flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}
		if p.Out {
			flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
		}
		info := gopacket.CaptureInfo{Timestamp: p.At, CaptureLength: n, Length: 28}
		if err := errors.Join(w.Add(p), ng.WritePacketWithOptions(info, p.Data, pcapgo.NgPacketOptions{Comments: []string{p.Peer}, Flags: &flags})); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), ng.Flush()); err != nil || !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
		t.Errorf("%v\n% x\n% x", err, ours.Bytes(), theirs.Bytes())
	}
}

func TestTcpdumpReadsIt(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("needs tcpdump")
	}
	file := filepath.Join(t.TempDir(), "p.pcapng")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f)
	f.Close()
	out, err := exec.Command(tcpdump, "-n", "-r", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "10.9.0.1 > 10.9.0.2: ICMP echo request") || !strings.Contains(string(out), "RAW") {
		t.Fatalf("%v: %s", err, out)
	}
}

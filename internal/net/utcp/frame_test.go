package utcp

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

// SPEC R-3.6-1.
func TestFrameLengthsAreCheckedBeforeTheBody(t *testing.T) {
	type limits struct{ least, most int }
	known := map[byte]limits{
		frameOpen: {4, 4}, frameData: {5, 4 + 16384}, frameClose: {4, 4}, frameWindow: {8, 8}, frameEnd: {0, 128}, frameRecord: {32, 65664}, frameCircuit: {9, 1500},
	}
	for kind := range 256 {
		l, ok := known[byte(kind)]
		for _, n := range []int{0, 1, 3, 4, 5, 7, 8, 9, 31, 32, 127, 128, 129, 1499, 1500, 1501, 16387, 16388, 16389, 65663, 65664, 65665, 1<<24 - 1} {
			size, err := frameSize(appendFrameHeader(nil, byte(kind), n))
			if want := ok && n >= l.least && n <= l.most; want != (err == nil) || want && size != n+4 || !want && !errors.Is(err, cause.ErrProtocol) {
				t.Fatalf("kind %d of %d bytes: %d, %v", kind, n, size, err)
			}
		}
	}
	for n := range frameHeader {
		if size, err := frameSize(make([]byte, n)); size != 0 || err != nil {
			t.Fatalf("a header of %d bytes: %d, %v", n, size, err)
		}
	}
	faults.Report(t, "T2", true, "23 lengths for each of 256 kinds: refused at the header")
}

// A length alone buys no memory: what is refused leaves the buffer as it was, the
// largest that is allowed makes it hold one frame.
func TestALengthBuysOneFrameAtMost(t *testing.T) {
	largest, refused := 0, 0
	for kind := range 256 {
		least, most := bodyLimits(byte(kind))
		for _, n := range []int{0, least - 1, least, most, most + 1, 1 << 16, 1 << 20, 1<<24 - 1} {
			_, r := detachedWith(make([]byte, readSmall))
			r.preface = false
			err := r.feed(appendFrameHeader(nil, byte(kind), max(0, n)))
			if err != nil && len(r.buf) != readSmall {
				t.Errorf("kind %d of %d bytes: refused, and the buffer has %d", kind, n, len(r.buf))
			}
			if err != nil {
				refused++
			}
			largest = max(largest, len(r.buf))
		}
	}
	if largest > maxFrame || refused == 0 {
		t.Errorf("a buffer of %d bytes, %d refused", largest, refused)
	}
	faults.Report(t, "T2", true, "of %d lengths the %d refused allocate nothing, the others a buffer of %d bytes at most: one frame", 256*8, refused, largest)
}

// detached is an accepted connection without TCP, for what the reader does to it.
func detached() (*Conn, *reader) { return detachedWith(make([]byte, readLarge)) }

func detachedWith(buf []byte) (*Conn, *reader) {
	c := &Conn{count: new(Counters), proven: true, learn: func(netip.Addr) {}}
	c.changed = sync.NewCond(&c.mu)
	c.path.c = c
	c.streams.init(false)
	c.stalled = true // nothing is ever written
	return c, &reader{c: c, h: new(inbox), buf: buf, preface: true}
}

func TestFramesSplitAtEveryOffset(t *testing.T) {
	buf := make([]byte, readLeast+1024) // of which frames reach the end
	rec := record(len(buf)-100, 1)
	all := []byte(somePreface)
	all = appendStreamFrame(all, frameOpen, 1, nil)
	all = append(appendFrameHeader(all, frameRecord, len(rec)), rec...)
	all = appendStreamFrame(all, frameData, 1, []byte("hello"))
	all = append(appendFrameHeader(all, frameRecord, len(rec)), rec...)
	all = appendStreamFrame(all, frameClose, 1, nil)
	for cut := 0; cut <= len(all); cut++ {
		c, r := detachedWith(buf)
		for _, piece := range [][]byte{all[:cut], all[cut:]} {
			if err := r.feed(piece); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		st := c.streams.open[1]
		if r.n != 0 || r.h.(*inbox).len() != 2 || st == nil || string(bytes.Join(st.in.pieces, nil)) != "hello" || !st.eof {
			t.Fatalf("cut at %d: %d bytes left, %d records, %+v", cut, r.n, r.h.(*inbox).len(), st)
		}
	}
	faults.Report(t, "T1", true, "a split at each of %d offsets: same frames", len(all)+1)
}

// feed hands bytes to a reader as TCP would.
func (r *reader) feed(b []byte) error {
	for len(b) > 0 {
		n := copy(r.buf[r.n:], b)
		r.n, b = r.n+n, b[n:]
		full := r.n == len(r.buf)
		if err := r.consume(); err != nil {
			return err
		}
		r.makeRoom(full)
	}
	return nil
}

// SPEC R-3.6-4.
func TestOrderOfStreamFramesIsChecked(t *testing.T) {
	open := func(id uint32) []byte { return appendStreamFrame(nil, frameOpen, id, nil) }
	data := func(id uint32, n int) []byte { return appendStreamFrame(nil, frameData, id, make([]byte, n)) }
	end := func(id uint32) []byte { return appendStreamFrame(nil, frameClose, id, nil) }
	more := func(id uint32, n byte) []byte { return appendStreamFrame(nil, frameWindow, id, []byte{n, 0, 0, 0}) }
	var flood, many [][]byte
	flood = append(flood, open(1))
	for range streamWindow / maxStreamData {
		flood = append(flood, data(1, maxStreamData))
	}
	for i := range maxStreams {
		many = append(many, open(uint32(1+2*i)))
	}
	for name, c := range map[string]struct {
		good [][]byte
		bad  []byte
	}{
		"our number":             {nil, open(2)},
		"number 0":               {nil, open(0)},
		"opened twice":           {[][]byte{open(1)}, open(1)},
		"a number gone by":       {[][]byte{open(5)}, open(3)},
		"too many":               {many, open(99)},
		"data without a stream":  {nil, data(1, 5)},
		"data after the end":     {[][]byte{open(1), end(1)}, data(1, 5)},
		"more than the window":   {flood, data(1, 1)},
		"closed twice":           {[][]byte{open(1), end(1)}, end(1)},
		"closed, never opened":   {nil, end(7)},
		"credit without stream":  {nil, more(1, 1)},
		"credit beyond a window": {[][]byte{open(1)}, more(1, 1)},
		"a record that is none":  {nil, append(appendFrameHeader(nil, frameRecord, 40), make([]byte, 40)...)},
		"unknown kind":           {nil, []byte{6, 0, 0, 0}},
	} {
		_, r := detached()
		r.preface = false
		for i, b := range c.good {
			if err := r.feed(b); err != nil {
				t.Fatalf("%s: frame %d: %v", name, i, err)
			}
		}
		if err := r.feed(c.bad); !errors.Is(err, cause.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendStreamFrame([]byte(somePreface), frameOpen, 1, nil), uint(3))
	f.Add(appendStreamFrame(appendStreamFrame([]byte(somePreface), frameOpen, 1, nil), frameData, 1, []byte("x")), uint(9))
	f.Add(append(appendFrameHeader([]byte(somePreface), frameRecord, 40), record(40, 1)...), uint(20))
	f.Add(append([]byte(somePreface), frameRecord, 255, 255, 255), uint(8))
	for i, in := range packetgen.Seeds() {
		f.Add(in, uint(10*i))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint) {
		if s, ok := packetgen.Of(b); ok {
			b = utcpFrames(s)
		}
		cut %= uint(len(b) + 1)
		whole, pieces := fed(b), fed(b[:cut], b[cut:])
		if whole.recs != pieces.recs || whole.unread != pieces.unread || whole.streams != pieces.streams || (whole.err == nil) != (pieces.err == nil) {
			t.Fatalf("cut at %d: %+v and %+v", cut, whole, pieces)
		}
	})
}

// utcpFrames is a preface and frames with right lengths, some of which may be broken.
func utcpFrames(s *packetgen.Source) []byte {
	b := s.Mutate([]byte(somePreface))
	for s.More() && len(b) < 1<<17 {
		stream := uint32(s.N(8))
		var frame []byte
		switch s.N(5) {
		case 4:
			n := 9 + s.N(1500)
			frame = append(appendFrameHeader(nil, frameCircuit, n), circuit(n)...)
		case 0:
			n := 32 + s.N(2000)
			frame = append(appendFrameHeader(nil, frameRecord, n), record(n, uint64(s.Byte()))...)
		case 1:
			frame = appendStreamFrame(nil, frameOpen, stream, nil)
		case 2:
			frame = appendStreamFrame(nil, frameData, stream, make([]byte, s.N(3000)))
		case 3:
			frame = appendStreamFrame(nil, s.Byte(), stream, make([]byte, s.N(8)))
		}
		b = append(b, s.Mutate(frame)...)
	}
	return b
}

type outcome struct {
	recs, unread, streams int
	err                   error
}

// fed feeds pieces to a reader and says what came of it.
func fed(pieces ...[]byte) (o outcome) {
	c, r := detached()
	for _, p := range pieces {
		if o.err == nil {
			o.err = r.feed(p)
		}
	}
	o.recs, o.unread, o.streams = r.h.(*inbox).len(), c.streams.unread, len(c.streams.open)
	return o
}

var _ link.Handler = (*inbox)(nil)

func TestRoomOfARecordFrame(t *testing.T) {
	if maxRecord < 1<<16-1+wire.Overhead {
		t.Fatal("a super-packet does not fit")
	}
}

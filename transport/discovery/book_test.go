package discovery

import (
	"bytes"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
)

// names are the DIDs from..to.
func names(from, to int) (out []did.DID) {
	for i := from; i <= to; i++ {
		out = append(out, name(i))
	}
	return out
}

func TestOnlyThePeerThatIsAskedForUnderstands(t *testing.T) {
	source := at("fe80::7")
	asker := newBook(name(1), names(2, 130))
	packets := asker.questions(source, 4242, names(2, 130))
	if len(packets) != 3 {
		t.Fatalf("%d packets for 129 peers", len(packets))
	}
	for i := 2; i <= 130; i++ {
		found := 0
		for _, b := range packets {
			peer, port, ok := newBook(name(i), names(1, 20)).sender(mustParse(t, b), source)
			if ok {
				found++
			}
			if ok && (peer != name(1) || port != 4242) {
				t.Errorf("peer %d finds %v at %d", i, peer, port)
			}
		}
		if found != 1 {
			t.Errorf("peer %d is asked for %d times", i, found)
		}
	}
	strangers := []*book{newBook(name(500), names(1, 400)), newBook(name(2), names(3, 400)), newBook(name(1), names(1, 400)), newBook(name(2), nil)}
	for i, s := range strangers {
		for _, b := range packets {
			if peer, _, ok := s.sender(mustParse(t, b), source); ok {
				t.Errorf("stranger %d takes it as from %v", i, peer)
			}
		}
	}
}

// A copy from another address, a question turned into an answer, and every
// changed bit of salt and entry are nobody's.
func TestNothingOfAnEntryCanBeChanged(t *testing.T) {
	source := at("192.0.2.7")
	me := newBook(name(2), names(1, 1))
	b := newBook(name(1), names(2, 2)).answer(source, 4242, name(2))
	if _, _, ok := me.sender(mustParse(t, b), source); !ok {
		t.Fatal("not even as it was sent")
	}
	for _, other := range []string{"192.0.2.8", "fe80::7", "::c000:207"} {
		if _, _, ok := me.sender(mustParse(t, b), at(other)); ok {
			t.Errorf("it counts from %s too", other)
		}
	}
	for i := headerSize; i < len(b); i++ {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if _, _, ok := me.sender(mustParse(t, bad), source); ok {
				t.Errorf("byte %d, bit %d", i, bit)
			}
		}
	}
	b[5] = byte(question)
	if _, _, ok := me.sender(mustParse(t, b), source); ok {
		t.Error("an answer is taken as a question")
	}
}

// Captures have nothing in common but the header: not an entry, not a piece of
// eight bytes, wherever it stands.
func TestCapturesShareNothingButTheHeader(t *testing.T) {
	asker, source := newBook(name(1), names(2, 200)), at("fe80::7")
	var packets [][]byte
	for range 40 {
		packets = append(packets, asker.questions(source, 4242, names(2, 200))...)
		packets = append(packets, asker.answer(source, 4242, name(2)))
	}
	wantNothingShared(t, packets)
}

func wantNothingShared(t *testing.T, packets [][]byte) {
	t.Helper()
	in := make(map[[8]byte]int)
	for n, b := range packets {
		for i := headerSize; i+8 <= len(b); i++ {
			piece := [8]byte(b[i:])
			if other, seen := in[piece]; seen {
				t.Fatalf("%x is in packets %d and %d", piece, other, n)
			}
			in[piece] = n
		}
	}
	t.Logf("%d packets, %d pieces of 8 bytes, all different", len(packets), len(in))
}

// Each byte behind the header takes every value about as often.
func TestNoByteOfAnEntryStandsOut(t *testing.T) {
	asker, source := newBook(name(1), names(2, 2)), at("fe80::7")
	const packets = 10_000
	var count [minPacket][256]int
	for range packets {
		for i, c := range asker.answer(source, 4242, name(2)) {
			count[i][c]++
		}
	}
	for i := headerSize; i < minPacket; i++ {
		chi := 0.0 // 255 degrees of freedom: 255 expected, above 400 once in 10^8
		for _, n := range count[i] {
			d := float64(n) - packets/256.0
			chi += d * d / (packets / 256.0)
		}
		if chi > 400 {
			t.Errorf("byte %d: chi-square %.0f", i, chi)
		}
	}
}

func TestQuestionsHideHowManyPeersAreMissing(t *testing.T) {
	source := at("fe80::7")
	for peers, want := range map[int]int{1: 4, 3: 4, 4: 4, 5: 8, 16: 16, 17: 32, 33: 60, 60: 60} {
		all := names(2, peers+1)
		b := newBook(name(1), all).questions(source, 4242, all)
		if p := mustParse(t, b[0]); len(b) != 1 || p.len() != want {
			t.Errorf("%d peers: %d packets, %d entries", peers, len(b), p.len())
		}
	}
}

func TestPlaceOfAnEntrySaysNothing(t *testing.T) {
	source, k := at("fe80::7"), keyFrom(name(1), name(2))
	asker := newBook(name(1), names(2, 5))
	var places [4]int
	for range 400 {
		p := mustParse(t, asker.questions(source, 4242, names(2, 5))[0])
		s := newSubject(p.kind, p.salt, source)
		for i := range p.len() {
			if *p.at(i) == k.entry(&s, 4242) {
				places[i]++
			}
		}
	}
	for i, n := range places {
		if n < 50 || n > 150 {
			t.Errorf("place %d: %d of 400", i, n)
		}
	}
}

// SPEC R-3.9-4.
func TestAnswersAreNeverLargerThanQuestions(t *testing.T) {
	b := newBook(name(1), names(2, 90)).answer(at("fe80::7"), 4242, name(2))
	if len(b) != minPacket { // and nothing shorter is a question
		t.Errorf("an answer of %d bytes", len(b))
	}
	faults.Report(t, "D4", true, "answers are never larger")
}

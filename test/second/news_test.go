package second

import "testing"

// The frames of spec/network.md 10.6.

// A rosterSerial is the beginning of an issuer's digest and its roster's serial.
type rosterSerial struct {
	issuer []byte
	serial uint64
}

func serials(typ byte, network []byte, head uint64, removals []byte, rosters ...rosterSerial) []byte {
	b := join([]byte{typ}, network, le64(head), removals, []byte{byte(len(rosters))})
	for _, r := range rosters {
		b = join(b, r.issuer[:8], le64(r.serial))
	}
	return b
}

func documents(status byte, network []byte, sizes ...int) []byte {
	b := join([]byte{0x29, status}, network, le16(len(sizes)))
	for _, s := range sizes {
		b = join(b, le32(s))
	}
	return b
}

// A newsVector is one frame of each kind.
type newsVector struct {
	News    hexBytes `json:"news"`
	Empty   hexBytes `json:"news_without_head"`
	Fetch   hexBytes `json:"fetch"`
	Answer  hexBytes `json:"documents"`
	Busy    hexBytes `json:"busy"`
	Piece   hexBytes `json:"piece"`
	Preface hexBytes `json:"preface"`
}

func makeNews() newsVector {
	id, removals := hash([]byte("network")), hash([]byte("removals"))
	one, two := rosterSerial{[]byte("\x01issuer"), 1}, rosterSerial{[]byte("\x02issuer"), 258}
	one.issuer, two.issuer = append(one.issuer, 0), append(two.issuer, 0)
	return newsVector{
		News:    serials(0x11, id, 5, removals, one, two),
		Empty:   serials(0x11, id, 0, removals),
		Fetch:   serials(0x28, id, 4, removals, one),
		Answer:  documents(1, id, 3, 65537, 2<<20),
		Busy:    documents(2, id),
		Piece:   join([]byte{0x2a}, le16(1), le32(65536), []byte("x")),
		Preface: join([]byte{0x83, 1}, make([]byte, 14)),
	}
}

func TestNewsVectors(t *testing.T) { compare(t, "news.json", makeNews()) }

package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
)

func someNews() News {
	return News{Network: [32]byte{1}, Head: 7, Removals: [32]byte{2}, Rosters: []RosterSerial{{[8]byte{1}, 3}, {[8]byte{1, 1}, 9}}}
}

// spec/network.md R-10.6-1: exact length, ascending issuers, serials in their range.
func TestNewsIsExact(t *testing.T) {
	for _, typ := range []byte{FrameNews, FrameFetch} {
		frame := someNews().Append(nil, typ)
		if n, ok := ParseNews(frame, typ); !ok || !bytes.Equal(n.Append(nil, typ), frame) {
			t.Fatalf("%+v %v", n, ok)
		}
		for n := range frame {
			if _, ok := ParseNews(frame[:n], typ); ok {
				t.Errorf("%d of %d bytes are taken", n, len(frame))
			}
		}
		if _, ok := ParseNews(append(frame, 0), typ); ok {
			t.Error("a byte too many is taken")
		}
		if _, ok := ParseNews(frame, typ^FrameNews^FrameFetch); ok {
			t.Error("the other type is taken")
		}
	}
	many := make([]RosterSerial, MaxNewsRosters+1)
	for i := range many {
		many[i] = RosterSerial{[8]byte{byte(i)}, 1}
	}
	for name, wrong := range map[string]func(n *News){
		"no network":            func(n *News) { n.Network = [32]byte{} },
		"a head above 2^63-1":   func(n *News) { n.Head = 1 << 63 },
		"a roster without head": func(n *News) { n.Head = 0 },
		"serial 0":              func(n *News) { n.Rosters[1].Serial = 0 },
		"a serial above 2^63-1": func(n *News) { n.Rosters[1].Serial = 1 << 63 },
		"an issuer twice":       func(n *News) { n.Rosters[1].Issuer = n.Rosters[0].Issuer },
		"issuers that descend":  func(n *News) { slices.Reverse(n.Rosters) },
		"65 issuers":            func(n *News) { n.Rosters = many },
	} {
		n := someNews()
		wrong(&n)
		if _, ok := ParseNews(n.Append(nil, FrameNews), FrameNews); ok || n.Valid() {
			t.Errorf("%s is taken", name)
		}
	}
	full := News{Network: [32]byte{1}, Head: 1, Rosters: many[:MaxNewsRosters]}
	if frame := full.Append(nil, FrameNews); len(frame) > 1312-Overhead {
		t.Errorf("NEWS of 64 issuers has %d bytes and does not fit the smallest path", len(frame))
	}
}

// spec/network.md R-10.6-2: sizes come first, and have bounds.
func TestSizesOfAnAnswerAreBounded(t *testing.T) {
	good := Documents{Status: AnswerAll, Network: [32]byte{1}, Sizes: []uint32{1, MaxDocument}}
	frame := good.Append(nil)
	if d, ok := ParseDocuments(frame); !ok || !bytes.Equal(d.Append(nil), frame) {
		t.Fatalf("%+v %v", d, ok)
	}
	for n := range frame {
		if _, ok := ParseDocuments(frame[:n]); ok {
			t.Errorf("%d of %d bytes are taken", n, len(frame))
		}
	}
	for name, wrong := range map[string]Documents{
		"no network":             {Sizes: []uint32{1}},
		"an unknown status":      {Network: [32]byte{1}, Status: AnswerNone + 1},
		"an empty document":      {Network: [32]byte{1}, Sizes: []uint32{0}},
		"a document of 2 MiB +1": {Network: [32]byte{1}, Sizes: []uint32{MaxDocument + 1}},
		"4001 documents":         {Network: [32]byte{1}, Sizes: slices.Repeat([]uint32{1}, MaxDocuments+1)},
		"more than 256 MiB":      {Network: [32]byte{1}, Sizes: slices.Repeat([]uint32{MaxDocument}, MaxAnswer/MaxDocument+1)},
		"busy with a document":   {Network: [32]byte{1}, Status: AnswerBusy, Sizes: []uint32{1}},
		"more without any":       {Network: [32]byte{1}, Status: AnswerMore},
	} {
		if _, ok := ParseDocuments(wrong.Append(nil)); ok || wrong.Valid() {
			t.Errorf("%s is taken", name)
		}
	}
	most := Documents{Network: [32]byte{1}, Sizes: slices.Repeat([]uint32{1}, MaxDocuments)}
	if n := len(most.Append(nil)); n > MaxChannelRecord-Overhead || pieceHeader+MaxPiece > MaxChannelRecord-Overhead {
		t.Errorf("a frame of %d bytes does not fit a record of the stream", n)
	}
}

// collect sends an answer into an Answer.
func collect(t *testing.T, docs [][]byte) (got [][]byte, status AnswerStatus) {
	t.Helper()
	a := NewAnswer([32]byte{1})
	err := SendAnswer([32]byte{1}, docs, func(f []byte) error {
		doc, err := a.Frame(f)
		if doc != nil {
			got = append(got, doc)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	status, done := a.Done()
	if !done {
		t.Error("the answer is not whole")
	}
	return got, status
}

func TestAnAnswerArrives(t *testing.T) {
	docs := [][]byte{[]byte("one"), bytes.Repeat([]byte("x"), 3*MaxPiece+1), bytes.Repeat([]byte("y"), MaxPiece)}
	if got, status := collect(t, docs); status != AnswerAll || !slices.EqualFunc(got, docs, bytes.Equal) {
		t.Errorf("%d documents, status %d", len(got), status)
	}
	if got, status := collect(t, nil); status != AnswerAll || got != nil {
		t.Error(got, status)
	}
	if got, status := collect(t, slices.Repeat(docs[:1], MaxDocuments+3)); status != AnswerMore || len(got) != MaxDocuments {
		t.Errorf("%d documents, status %d", len(got), status)
	}
}

// spec/network.md R-10.6-3: what does not stand in its place ends the stream.
func TestAnAnswerIsReadInOrder(t *testing.T) {
	head := Documents{Network: [32]byte{1}, Sizes: []uint32{2, 1}}.Append(nil)
	piece := func(doc uint16, at uint32, data string) []byte {
		return DocumentPiece{doc, at, []byte(data)}.Append(nil)
	}
	for name, frames := range map[string][][]byte{
		"another network":       {Documents{Network: [32]byte{2}}.Append(nil)},
		"a piece first":         {piece(0, 0, "a")},
		"garbage first":         {[]byte("hello")},
		"sizes twice":           {head, head},
		"another document":      {head, piece(1, 0, "a")},
		"a gap":                 {head, piece(0, 1, "a")},
		"the beginning twice":   {head, piece(0, 0, "a"), piece(0, 0, "a")},
		"more than was said":    {head, piece(0, 0, "abc")},
		"an empty piece":        {head, piece(0, 0, "")},
		"a document too many":   {head, piece(0, 0, "ab"), piece(1, 0, "c"), piece(2, 0, "d")},
		"a piece after nothing": {Documents{Network: [32]byte{1}, Status: AnswerNone}.Append(nil), piece(0, 0, "a")},
	} {
		a, err := NewAnswer([32]byte{1}), error(nil)
		for _, f := range frames[:len(frames)-1] {
			if _, err := a.Frame(f); err != nil {
				t.Fatal(name, err)
			}
		}
		if _, err = a.Frame(frames[len(frames)-1]); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrefaceOfDocuments(t *testing.T) {
	p := DocumentsPreface()
	if !IsDocumentsPreface(p) || IsDocumentsPreface(p[:15]) || IsDocumentsPreface(append(bytes.Clone(p), 0)) {
		t.Error("its length does not count")
	}
	for i := range p {
		bad := bytes.Clone(p)
		bad[i] ^= 1
		if IsDocumentsPreface(bad) {
			t.Errorf("byte %d may be another", i)
		}
	}
}

// What the second implementation has written is read, and written in the same bytes.
func TestVectorsOfNews(t *testing.T) {
	text, err := os.ReadFile("../../../spec/vectors/news.json")
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]string
	if err := json.Unmarshal(text, &v); err != nil || len(v) != 7 {
		t.Fatal(len(v), err)
	}
	is := func(name string, ours []byte, ok bool) {
		if !ok || hex.EncodeToString(ours) != v[name] {
			t.Errorf("%s: %x, %v; want %s", name, ours, ok, v[name])
		}
	}
	of := func(name string) []byte { b, _ := hex.DecodeString(v[name]); return b }
	for name, typ := range map[string]byte{"news": FrameNews, "news_without_head": FrameNews, "fetch": FrameFetch} {
		n, ok := ParseNews(of(name), typ)
		is(name, n.Append(nil, typ), ok)
	}
	for _, name := range []string{"documents", "busy"} {
		d, ok := ParseDocuments(of(name))
		is(name, d.Append(nil), ok)
	}
	p, ok := ParseDocumentPiece(of("piece"))
	is("piece", p.Append(nil), ok)
	is("preface", DocumentsPreface(), IsDocumentsPreface(of("preface")))
	n, _ := ParseNews(of("news"), FrameNews)
	if d, _ := ParseDocuments(of("documents")); n.Head != 5 || len(n.Rosters) != 2 || n.Rosters[1].Serial != 258 || d.Status != AnswerMore || d.Sizes[0] != 3 || p.Offset != 65536 {
		t.Errorf("%+v %+v %+v", n, d, p)
	}
}

// FuzzNews reads its input as every frame of 10.6, and as an answer cut into frames.
func FuzzNews(f *testing.F) {
	f.Add(someNews().Append(nil, FrameNews))
	f.Add(someNews().Append(nil, FrameFetch))
	f.Add(Documents{Network: [32]byte{1}, Sizes: []uint32{2, 1}}.Append(nil))
	f.Add(DocumentPiece{0, 0, []byte("ab")}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(back []byte) {
			if !bytes.Equal(back, b) {
				t.Fatalf("%x is read as %x", b, back)
			}
		}
		for _, typ := range []byte{FrameNews, FrameFetch} {
			if n, ok := ParseNews(b, typ); ok {
				same(n.Append(nil, typ))
			}
		}
		if p, ok := ParseDocumentPiece(b); ok {
			same(p.Append(nil))
		}
		if d, ok := ParseDocuments(b); ok {
			same(d.Append(nil))
		}
		answer(t, b)
	})
}

// answer reads frames of up to 64 bytes: no document is longer than it was said to be.
func answer(t *testing.T, b []byte) {
	a := NewAnswer([32]byte{1})
	a.Frame(Documents{Network: [32]byte{1}, Sizes: []uint32{3, 5, 100}}.Append(nil))
	for frame := range slices.Chunk(b, 64) {
		doc, err := a.Frame(frame)
		if len(doc) > 100 || len(a.doc) > 100 || doc != nil && len(doc) != int(a.sizes[a.at-1]) {
			t.Fatalf("%d and %d bytes", len(doc), len(a.doc))
		}
		if err != nil {
			return
		}
	}
}

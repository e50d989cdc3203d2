package wire

import (
	"errors"
	"slices"
)

// ErrAnswer is the error of an answer to FETCH that breaks spec/network.md 10.6: the stream ends.
var ErrAnswer = errors.New("wire: malformed answer of documents")

// An Answer reads the answer to FETCH, frame by frame. It holds one document at a time, and
// as much of it as has arrived. It is for one goroutine.
type Answer struct {
	network [32]byte
	began   bool
	status  AnswerStatus
	sizes   []uint32
	at      int    // document that arrives
	doc     []byte // what has arrived of it
}

// NewAnswer awaits the answer about a network.
func NewAnswer(network [32]byte) *Answer { return &Answer{network: network} }

// Frame takes the next frame. It returns a document that is complete with it, which the
// caller owns, or nil.
func (a *Answer) Frame(f []byte) (doc []byte, err error) {
	if !a.began {
		d, ok := ParseDocuments(f)
		if !ok || d.Network != a.network {
			return nil, ErrAnswer
		}
		a.began, a.status, a.sizes = true, d.Status, d.Sizes
		return nil, nil
	}
	p, ok := ParseDocumentPiece(f)
	if !ok || a.at == len(a.sizes) || int(p.Document) != a.at || int(p.Offset) != len(a.doc) || len(p.Data) > int(a.sizes[a.at])-len(a.doc) {
		return nil, ErrAnswer
	}
	a.doc = append(a.doc, p.Data...)
	if len(a.doc) < int(a.sizes[a.at]) {
		return nil, nil
	}
	doc, a.doc = a.doc, nil
	a.at++
	return doc, nil
}

// Done reports whether the answer is whole, and its status.
func (a *Answer) Done() (AnswerStatus, bool) { return a.status, a.began && a.at == len(a.sizes) }

// SendAnswer calls send with each frame of an answer: as many of the documents, in their
// order, as one answer takes. The frame is valid during the call.
func SendAnswer(network [32]byte, docs [][]byte, send func(frame []byte) error) error {
	d := Documents{Network: network}
	total := 0
	for i, doc := range docs {
		if total += len(doc); i == MaxDocuments || total > MaxAnswer {
			d.Status = AnswerMore
			break
		}
		d.Sizes = append(d.Sizes, uint32(len(doc)))
	}
	buf := d.Append(nil)
	if err := send(buf); err != nil {
		return err
	}
	for i := range d.Sizes {
		at := 0
		for part := range slices.Chunk(docs[i], MaxPiece) {
			buf = DocumentPiece{uint16(i), uint32(at), part}.Append(buf[:0])
			if err := send(buf); err != nil {
				return err
			}
			at += len(part)
		}
	}
	return nil
}

package invite

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

const (
	messageVersion = 1
	maxName        = 255 // bytes of a name that is wanted
)

// A Request is what the joining node asks, sealed for the inviting node alone.
type Request struct {
	Version   int      `json:"version"`
	ID        string   `json:"id"`
	Proof     []byte   `json:"proof"`          // 32 bytes: Link.Proof
	Name      string   `json:"name,omitempty"` // that the joining node wants in a network
	Endpoints []string `json:"endpoints"`      // HOST:PORT where the joining node listens, if it can be reached
}

// An Answer says that the inviting node has the joining node as a peer now, or
// why not.
type Answer struct {
	Version int    `json:"version"`
	Refused Reason `json:"refused"`        // empty: it has
	Name    string `json:"name,omitempty"` // of the joining node in the network that it has joined
}

// A Reason is why a node did not take another as a peer.
type Reason string

const (
	Unknown  Reason = "unknown"  // no such invitation
	Altered  Reason = "altered"  // the link is not the one that was made
	Expired  Reason = "expired"  //
	Used     Reason = "used"     // another node has joined by it
	Already  Reason = "peer"     // the node is a peer already
	Busy     Reason = "busy"     // not now
	Conflict Reason = "conflict" // its config has changed, and what was promised does not fit it any more
	Failed   Reason = "failed"   // it could not: its log says why
	Endpoint Reason = "endpoint" // an endpoint of the asker is one that no node dials for others
	Waiting  Reason = "waiting"  // a person has to agree first
	Denied   Reason = "denied"   // a person has said no
	Version  Reason = "version"  // it does not understand the request
)

// ReasonOf is the answer to what Store.Claim returned.
func ReasonOf(err error) Reason {
	for is, r := range map[error]Reason{ErrDenied: Denied, ErrUnknown: Unknown, ErrAltered: Altered, ErrExpired: Expired, ErrUsed: Used} {
		if errors.Is(err, is) {
			return r
		}
	}
	return Failed
}

// NewRequest asks for what a link promises.
func NewRequest(l Link, endpoints []string) []byte { return NewMembership(l, endpoints, "") }

// NewMembership asks for what a link into a network promises, under a name.
func NewMembership(l Link, endpoints []string, name string) []byte {
	proof := l.Proof()
	return encode(Request{messageVersion, l.ID, proof[:], name, append([]string{}, endpoints...)})
}

// ParseRequest takes what NewRequest makes, and nothing else.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if err := decode(b, &r); err != nil {
		return r, err
	}
	if r.Version != messageVersion || len(r.ID) != 2*idSize || len(r.Proof) != 32 || len(r.Endpoints) > maxList || len(r.Name) > maxName {
		return r, ErrMessage
	}
	return r, nil
}

// NewAnswer says yes for "".
func NewAnswer(r Reason) []byte { return encode(Answer{Version: messageVersion, Refused: r}) }

// NewWelcome says yes to a node that has the name in a network; "": into none.
func NewWelcome(name string) []byte { return encode(Answer{Version: messageVersion, Name: name}) }

// ParseAnswer takes what NewAnswer and NewWelcome make, and nothing else.
func ParseAnswer(b []byte) (Answer, error) {
	var a Answer
	if err := decode(b, &a); err != nil {
		return a, err
	}
	if a.Version != messageVersion || len(a.Name) > maxName || a.Name != "" && a.Refused != "" {
		return a, ErrMessage
	}
	return a, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("invite: internal error: " + err.Error()) // strings and numbers only
	}
	return b
}

func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return ErrMessage
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrMessage
	}
	return nil
}

package invite

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

const (
	scheme   = "l2tun:join?"
	maxLink  = 2048 // bytes
	maxList  = 16   // endpoints, prefixes
	idSize   = 4    // bytes, in hex
	checkLen = 6    // bytes, in base64
	checkKey = "&check="

	maxHubs = 2 // of a link: its size matters to people
	maxVia  = 2 // endpoints of a hub
)

// A Token makes a link good for one node, once.
type Token [16]byte

// Format hides the token from every verb.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, "[token]") }

// MarshalText hides the token from encoders.
func (t Token) MarshalText() ([]byte, error) { return []byte("[token]"), nil }

// A Link is an invitation as it goes to the joining node.
type Link struct {
	ID        string         // names the invitation at the node that made it
	DID       did.DID        // of that node
	Name      string         // what it calls itself; may be empty
	Endpoints []string       // HOST:PORT, where it can be reached
	Hubs      []Hub          // peers of that node that help to reach it
	Address   netip.Prefix   // for the joining node, with the network's length; zero: none
	Allowed   []netip.Prefix // what the inviting node owns inside, besides its DID's address
	Until     time.Time      // in whole seconds; the inviting node decides
	Network   string         // id of the network that it leads into, in hexadecimal; empty: into none, but to the inviting node
	Called    string         // what that network is called there
	Token     Token
}

// A Hub is a node that helps the joining node to meet the inviting one.
type Hub struct {
	DID       did.DID
	Name      string   // what the inviting node calls it; may be empty
	Endpoints []string // HOST:PORT
}

// NewLink draws id and token.
func NewLink(l Link) Link {
	var id [idSize]byte
	rand.Read(id[:])
	rand.Read(l.Token[:])
	l.ID = hex.EncodeToString(id[:])
	l.Until = l.Until.Truncate(time.Second)
	return l
}

// Text is the link, token and all: for the person who invites, and nobody else.
func (l Link) Text() string {
	body := l.body()
	sum := hash(wire.LabelInviteCheck, body)
	return body + checkKey + base64.RawURLEncoding.EncodeToString(sum[:checkLen])
}

// Proof is what the joining node shows: it stands for every byte of the link.
func (l Link) Proof() [32]byte { return hash(wire.LabelInviteProof, l.body()) }

// kept is what the inviting node stores of a proof.
func kept(proof [32]byte) string {
	sum := hash(wire.LabelInviteKept, string(proof[:]))
	return hex.EncodeToString(sum[:])
}

func hash(label, text string) [32]byte { return sha256.Sum256([]byte(label + text)) }

// body is the link without its check, in the one order there is.
func (l Link) body() string {
	var b strings.Builder
	b.WriteString(scheme)
	put := func(key, value string) {
		if b.Len() > len(scheme) {
			b.WriteByte('&')
		}
		b.WriteString(key + "=" + escape(value))
	}
	put("id", l.ID)
	put("did", l.DID.String())
	if l.Name != "" {
		put("name", l.Name)
	}
	for _, e := range l.Endpoints {
		put("at", e)
	}
	for _, h := range l.Hubs {
		put("hub", h.DID.String())
		if h.Name != "" {
			put("hubname", h.Name)
		}
		for _, e := range h.Endpoints {
			put("via", e)
		}
	}
	if l.Address.IsValid() {
		put("address", l.Address.String())
	}
	for _, p := range l.Allowed {
		put("allow", p.String())
	}
	if l.Network != "" {
		put("network", l.Network)
		put("called", l.Called)
	}
	put("until", strconv.FormatInt(l.Until.Unix(), 10))
	put("token", base64.RawURLEncoding.EncodeToString(l.Token[:]))
	return b.String()
}

// escape leaves what a query may hold as it is, so that people can read a link.
func escape(s string) string {
	return strings.NewReplacer("%3A", ":", "%2F", "/", "%5B", "[", "%5D", "]", "+", "%20").Replace(url.QueryEscape(s))
}

// Parse reads a link. White space in it is what copying brings and is dropped.
// A text that was damaged or cut is told from one that never was a link.
func Parse(text string) (Link, error) {
	text = strings.Trim(strings.Join(strings.Fields(text), ""), `'"`)
	if len(text) > maxLink || !strings.HasPrefix(text, scheme) {
		return Link{}, fmt.Errorf("%w: a link begins with %s and has at most %d characters", ErrLink, scheme, maxLink)
	}
	body, check, found := strings.Cut(text, checkKey)
	sum := hash(wire.LabelInviteCheck, body)
	if !found || check != base64.RawURLEncoding.EncodeToString(sum[:checkLen]) {
		return Link{}, fmt.Errorf("%w: the link is damaged or was altered; copy the whole of it again", ErrLink)
	}
	l, err := parseBody(body)
	if err != nil || l.body() != body {
		return Link{}, fmt.Errorf("%w: this program does not understand the link; the other node may run another version", ErrLink)
	}
	return l, nil
}

// Begins reports whether a text may be the beginning of a link, or space before
// one, so that more of it is worth reading.
func Begins(text string) bool {
	text = strings.Trim(strings.Join(strings.Fields(text), ""), `'"`)
	if text == "" {
		return true
	}
	_, check, whole := strings.Cut(text, checkKey)
	return strings.HasPrefix(text, scheme) && len(text) <= maxLink && (!whole || len(check) < base64.RawURLEncoding.EncodedLen(checkLen))
}

func parseBody(body string) (l Link, err error) {
	for pair := range strings.SplitSeq(strings.TrimPrefix(body, scheme), "&") {
		key, raw, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(raw)
		if err == nil {
			err = l.set(key, value)
		}
		if err != nil {
			return l, err
		}
	}
	if l.DID.IsZero() || len(l.ID) != 2*idSize || len(l.Endpoints) > maxList || len(l.Allowed) > maxList || !l.hubsFit() || (l.Network == "") != (l.Called == "") {
		return l, ErrLink
	}
	return l, nil
}

// hubsFit reports whether hubs are few, each another node, and can be reached.
func (l *Link) hubsFit() bool {
	seen := map[did.DID]bool{l.DID: true}
	for _, h := range l.Hubs {
		if seen[h.DID] || len(h.Endpoints) == 0 || len(h.Endpoints) > maxVia {
			return false
		}
		seen[h.DID] = true
	}
	return len(l.Hubs) <= maxHubs
}

// setHub reads what belongs to the hub that was named last.
func (l *Link) setHub(key, value string) error {
	if len(l.Hubs) == 0 {
		return ErrLink
	}
	h := &l.Hubs[len(l.Hubs)-1]
	if key == "hubname" {
		h.Name = value
	} else {
		h.Endpoints = append(h.Endpoints, value)
	}
	return nil
}

func (l *Link) set(key, value string) (err error) {
	switch key {
	case "id":
		_, err = hex.DecodeString(value)
		l.ID = value
	case "did":
		l.DID, err = did.Parse(value)
	case "name":
		l.Name = value
	case "at":
		l.Endpoints = append(l.Endpoints, value)
	case "hub":
		var d did.DID
		d, err = did.Parse(value)
		l.Hubs = append(l.Hubs, Hub{DID: d})
	case "hubname", "via":
		err = l.setHub(key, value)
	case "address":
		l.Address, err = netip.ParsePrefix(value)
	case "allow":
		var p netip.Prefix
		p, err = netip.ParsePrefix(value)
		l.Allowed = append(l.Allowed, p)
	case "network":
		if _, ok := network.ParseHash(value); !ok {
			return ErrLink
		}
		l.Network = value
	case "called":
		err = network.CheckName(value)
		l.Called = value
	case "until":
		var seconds int64
		seconds, err = strconv.ParseInt(value, 10, 64)
		l.Until = time.Unix(seconds, 0)
	case "token":
		var b []byte
		if b, err = base64.RawURLEncoding.DecodeString(value); len(b) != len(l.Token) {
			return ErrLink
		}
		l.Token = Token(b)
	default:
		return ErrLink
	}
	return err
}

package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// maxChange bounds the body of a change: a document and what is said of it, base64.
const maxChange = 4 << 20

// A Network is one that the node is in, as status shows it.
type Network struct {
	Name     string           `json:"name"` // here
	ID       string           `json:"id"`
	Serial   uint64           `json:"serial"`  // of the head that is held; 0: none yet
	Role     string           `json:"role"`    // of this node: "admin", "issuer", "hub", "member", "removed" or "none"
	Members  int              `json:"members"` // how many there are
	Findings []NetworkFinding `json:"findings"`
}

// A NetworkFinding is something about a network that people should see.
type NetworkFinding struct {
	Code  string `json:"code"`
	About string `json:"about"` // DID; "" for the network
	Text  string `json:"text"`
}

// A Member is a member of a network.
type Member struct {
	DID       string   `json:"did"`
	Name      string   `json:"name"` // "": another member has the name that its line says
	Addresses []string `json:"addresses"`
	Routes    []string `json:"routes"`
	Groups    []string `json:"groups"`
	Issuer    string   `json:"issuer"`
	Until     string   `json:"until"` // RFC 3339; "": no end
	Hub       bool     `json:"hub"`
	Admin     bool     `json:"admin"`
}

// A NetworkChange is what a person has a node sign, or take.
type NetworkChange struct {
	Network  string        `json:"network"` // name here or id; "" for the only one
	Do       string        `json:"do"`      // a Do constant
	Who      string        `json:"who"`     // member: name, DID or address
	Value    string        `json:"value"`   // a name, a grant, or a hash
	Groups   []string      `json:"groups"`  // of a member or an issuer; null: as they are
	Routes   []string      `json:"routes"`  // behind a member; null: as they are
	Prefix   string        `json:"prefix"`  // of an issuer; "": as it is, or a free one
	Until    time.Duration `json:"until"`   // from now; 0: no end
	Document []byte        `json:"document"`
	Draft    bool          `json:"draft"` // sign and return it, and take nothing
}

// What a NetworkChange does.
const (
	DoRemove  = "remove"  // Who is no member from now on
	DoRename  = "rename"  // Who is called Value
	DoExtend  = "extend"  // Who is a member for Until from now
	DoGrant   = "grant"   // Value is granted
	DoRevoke  = "revoke"  // Value is granted no more
	DoHub     = "hub"     // Who is a hub
	DoNoHub   = "nohub"   // Who is none any more
	DoTake    = "take"    // Document is taken
	DoTrust   = "trust"   // Document, a head with the hash Value, is taken because a person says so
	DoConfirm = "confirm" // removals of Who that wait take effect

	DoSet       = "set"       // the line of Who has Groups and Routes
	DoAdmin     = "admin"     // Who may change the head
	DoNoAdmin   = "noadmin"   // Who may not any more
	DoIssuer    = "issuer"    // Who may invite, with Groups, Prefix and the right that Value is
	DoNoIssuer  = "noissuer"  // Who may not any more; Value says whether its members go too
	DoThreshold = "threshold" // Value is how many admins have to sign
	DoSucceed   = "succeed"   // the DID Value is in the place of Who
	DoRestore   = "restore"   // Who is not removed any more
)

// What Value says of an issuer; else what was stays.
const (
	MayRoute    = "routes"   // its members may have networks behind them
	MayNotRoute = "noroutes" // they may not
	WithMembers = "members"  // who is no issuer any more takes its members along
)

// A NetworkChanged is what a change has done.
type NetworkChanged struct {
	Done     string `json:"done"`     // a sentence
	Document []byte `json:"document"` // that was signed; of several the last
}

// Networking is the part of a Handler about networks.
type Networking interface {
	// Members lists the members of a network, by its name here or its id; "" is the only one.
	Members(ctx context.Context, network string) ([]Member, error)
	// ChangeNetwork does what a person asks for. It returns when the change is in use here.
	ChangeNetwork(ctx context.Context, c NetworkChange) (NetworkChanged, error)
}

func networking(mux *http.ServeMux, h Networking) {
	mux.HandleFunc("GET /v1/network/members", func(w http.ResponseWriter, r *http.Request) {
		all, err := h.Members(r.Context(), r.URL.Query().Get("network"))
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		reply(w, http.StatusOK, all)
	})
	mux.HandleFunc("POST /v1/network/change", func(w http.ResponseWriter, r *http.Request) {
		var c NetworkChange
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChange))
		if err != nil || json.Unmarshal(body, &c) != nil {
			fail(w, http.StatusUnprocessableEntity, errors.New("the change is not understood; is the program newer than the node?"))
			return
		}
		done, err := h.ChangeNetwork(r.Context(), c)
		if err != nil {
			code := codeOf(err)
			if code == http.StatusInternalServerError {
				code = http.StatusUnprocessableEntity
			}
			fail(w, code, err)
			return
		}
		reply(w, http.StatusOK, done)
	})
}

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Names is how the names of peers are known on the host.
type Names struct {
	Mode     string      `json:"mode"`      // dns of the config: "auto", "resolved", "hosts" or "off"
	By       string      `json:"by"`        // by what programs of this host find them: NamesByResolved, NamesByHosts; "" by nothing
	Reason   string      `json:"reason"`    // why it is not by what the mode asks for first; a phrase
	Server   string      `json:"server"`    // IP:PORT where this node answers DNS; "" if it does not
	ServedBy string      `json:"served_by"` // interface of the node of this host that does
	Own      string      `json:"own"`       // this node's own name; may be empty
	Known    int         `json:"known"`     // names, the node's own included
	LeftOut  []string    `json:"left_out"`  // names of peers that are no host names, or taken
	Clashes  []NameClash `json:"clashes"`
	Apart    bool        `json:"apart"`    // they are no business of this host, for the node is in a network namespace of its own and has the host's file
	PutBack  uint64      `json:"put_back"` // times that another program had taken the names out
}

// Values of Names.By.
const (
	NamesByResolved = "resolved" // systemd-resolved asks this node
	NamesByHosts    = "hosts"    // a block of /etc/hosts
)

// A NameClash is a name that several networks have: NAME.l2 is the one of the config, or
// nobody's.
type NameClash struct {
	Name     string   `json:"name"`
	Networks []string `json:"networks"` // "" for the config
}

func (n *Names) fill() {
	if n.LeftOut == nil {
		n.LeftOut = []string{}
	}
	if n.Clashes == nil {
		n.Clashes = []NameClash{}
	}
}

// NameOrder is what a program of this host, which may do that, is to make known.
type NameOrder struct {
	Stamp
	End       bool        `json:"end"` // the node stops: undo everything
	Mode      string      `json:"mode"`
	Interface string      `json:"interface"`
	Index     int         `json:"index"`
	Server    string      `json:"server"`    // IP:PORT of the node's DNS; "" for none
	NoServer  string      `json:"no_server"` // why there is none
	Zones     []string    `json:"zones"`     // that it answers for
	Hosts     []NamedAddr `json:"hosts"`
}

// NamedAddr is a name with an address of it.
type NamedAddr struct {
	Name    string `json:"name"` // with its domain
	Address string `json:"address"`
}

// NameReport is what that program has done.
type NameReport struct {
	By      string `json:"by"`
	Reason  string `json:"reason"`
	PutBack uint64 `json:"put_back"`
}

// A Namer is a Handler whose names a program of the host makes known.
type Namer interface {
	// KeepNames gives a program its orders and takes its reports, which end with it,
	// until ctx ends or the node stops. One program at a time does that.
	KeepNames(ctx context.Context, give func(NameOrder) error, reports <-chan NameReport) error
}

const maxReport = 4096 // bytes of a line

func namesHandler(n Namer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		untimed(w)
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			fail(w, http.StatusInternalServerError, err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		reports := make(chan NameReport)
		read := make(chan struct{})
		go func() {
			defer close(read)
			readReports(ctx, r.Body, reports)
		}()
		lines := lineWriter{w: w}
		err := n.KeepNames(ctx, func(o NameOrder) error {
			o.Stamp = NewStamp()
			return lines.write(o)
		}, reports)
		cancel()
		lines.end(err)
		http.NewResponseController(w).SetReadDeadline(time.Now()) // ends readReports
		<-read
	}
}

// readReports runs until the program ends its side or breaks the rules.
func readReports(ctx context.Context, body io.Reader, reports chan<- NameReport) {
	defer close(reports)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxReport)
	for lines.Scan() {
		var r NameReport
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			return
		}
		select {
		case reports <- r:
		case <-ctx.Done():
			return
		}
	}
}

// A NamesCall is the program's end.
type NamesCall struct {
	Orders <-chan NameOrder
	Ended  <-chan error // one: how the call ended; nil when the node ended it

	reports *io.PipeWriter
	cancel  context.CancelFunc
}

// KeepNames begins to take orders of the node of a client. The caller ends it with Close.
func KeepNames(ctx context.Context, c *Client) *NamesCall {
	body, reports := io.Pipe()
	orders, ended := make(chan NameOrder), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		ended <- stream(ctx, c, "/v1/names", body, func(o NameOrder) error {
			select {
			case orders <- o:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return &NamesCall{orders, ended, reports, cancel}
}

// Report says what was done. The node may be gone; Ended says so.
func (n *NamesCall) Report(r NameReport) { _ = json.NewEncoder(n.reports).Encode(r) }

// Close ends the call, after which the node knows that everything is undone.
func (n *NamesCall) Close() {
	n.reports.Close()
	timeout := time.NewTimer(finishTime)
	defer timeout.Stop()
	for open := true; open; {
		select {
		case <-n.Orders:
		case <-n.Ended:
			open = false
		case <-timeout.C:
			open = false
		}
	}
	n.cancel()
}

// ErrNamesKept is of a node whose names another program keeps.
var ErrNamesKept = errors.New("another program keeps the names of this node already")

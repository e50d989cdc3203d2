package bench

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// Contenders by name. The carriers of l2tun are called as in its config.
const (
	bare      = "veth" // no tunnel
	wireguard = "wireguard-go"
	direct    = "direct"
	datagram  = "datagram"
	utcp      = "utcp"
	whole     = "default"       // l2tun as l2tun init makes it, with all carriers
	indirect  = "datagram+utcp" // where direct is forbidden: either, as goodput decides
)

// learning is how long nodes with a choice of carriers have to make it.
const learning = 10 * time.Second

// Options say what to measure. Check fills in and refuses.
type Options struct {
	Rounds     int           // 1 and more
	Time       time.Duration // of one throughput measurement; whole seconds
	Idle       time.Duration // of watching an idle node
	Rows       []string      // of rowNames; empty: all
	Contenders []string      // NAME or NAME@GOMAXPROCS; empty: the usual ones
	Programs   string        // folder with the programs l2tun, wireguard and plot
	Commit     string        // what is measured
	Out        string        // folder for the reports
	JSON       string        // file for the raw samples; empty: none
}

// usual are the contenders of a run that names none.
func usual() []string {
	return append(kinds(), wireguard+"@1", direct+"@1")
}

// kinds are the contenders without variants.
func kinds() []string {
	return slices.Concat([]string{bare, wireguard}, link.Names(), []string{whole, indirect})
}

// Check refuses what cannot be measured, in a sentence.
func (o *Options) Check() error {
	if len(o.Rows) == 0 {
		o.Rows = rowNames()
	}
	if len(o.Contenders) == 0 {
		o.Contenders = usual()
	}
	for _, r := range o.Rows {
		if !slices.Contains(rowNames(), r) {
			return fmt.Errorf("bench: there is no row %q; choose of %s", r, strings.Join(rowNames(), ", "))
		}
	}
	for _, c := range o.Contenders {
		if _, err := parseContender(c); err != nil {
			return err
		}
	}
	switch {
	case o.Rounds < 1:
		return errors.New("bench: at least one round is needed")
	case o.Time < time.Second || o.Time%time.Second != 0:
		return errors.New("bench: a measurement takes whole seconds, at least one")
	case o.Idle < time.Second:
		return errors.New("bench: an idle node is watched for at least one second")
	}
	return nil
}

// A contender is what is measured.
type contender struct {
	name  string // as it was asked for
	kind  string // one of kinds
	procs int    // GOMAXPROCS; 0: as many as there are
}

func parseContender(name string) (contender, error) {
	kind, procs, varied := strings.Cut(name, "@")
	c := contender{name: name, kind: kind}
	if !slices.Contains(kinds(), kind) {
		return c, fmt.Errorf("bench: there is no contender %q; choose of %s, with @N behind for GOMAXPROCS=N", name, strings.Join(kinds(), ", "))
	}
	if !varied {
		return c, nil
	}
	var err error
	if c.procs, err = strconv.Atoi(procs); err != nil || c.procs < 1 || kind == bare {
		return c, fmt.Errorf("bench: %q: behind @ stands a number of processors for a tunnel, 1 or more", name)
	}
	return c, nil
}

// measures reports whether a row is measured for the contender in a round. A node
// is idle in the first round only: that takes long and varies little.
func (c contender) measures(row string, round int) bool {
	switch {
	case row == "idle":
		return round == 0 && c.procs == 0 && (c.kind == whole || c.kind == wireguard)
	case row == "rotating":
		return c.procs == 0 && (c.kind == direct || c.kind == utcp)
	case row == "lost-peer":
		return c.procs == 0 && c.kind == direct
	case c.kind == whole:
		return false
	case c.kind == indirect:
		return row == "loss" && c.procs == 0
	case c.procs != 0:
		return slices.Contains(variantRows(), row)
	}
	return true
}

// carriers are those that the nodes may use, the best first.
func (c contender) carriers() []string {
	if c.kind == whole {
		return link.Names()
	}
	return strings.Split(c.kind, "+")
}

// order is the order of a round: each begins one further.
func order(all []contender, round int) []contender {
	n := round % len(all)
	return slices.Concat(all[n:], all[:n])
}

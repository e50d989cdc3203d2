package hostnames

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/confine"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

// lookEvery is how often it is checked that what was put in is still there.
const lookEvery = time.Minute

// errNothing is of a way that has nothing to do with this host: no reason to tell.
var errNothing = errors.New("not on this host")

// A way makes names known. It is the keeper's.
type way interface {
	// put makes the names of an order known, and reports whether anything had to be
	// changed for it.
	put(control.NameOrder) (changed bool, err error)
	// drop undoes it.
	drop() error
	// news has a token when put may come to another result.
	news() <-chan struct{}
}

// A keeper carries out the orders of one node.
type keeper struct {
	log      *slog.Logger
	journal  *journal
	resolved way
	hosts    *hostsFile
	place    error // why the names are no business of this host

	order control.NameOrder
	is    control.NameReport
}

// Run makes known what the node behind a control socket orders, until ctx ends or the
// node does; then everything is undone. The error says that the node ended without a
// word, or that another process does the same.
//
// The process gives up what it does not need: to root's files and the bus it is root, and
// the node's folders may be the system user's.
func Run(ctx context.Context, socket string, log *slog.Logger) error {
	resolved := newResolved()
	defer resolved.close()
	resolved.lookAround()
	place := CheckPlace()
	if err := errors.Join(confine.Bar(confine.AnyFile), confine.Keep(confine.AnyFile)); err != nil {
		return err
	}
	j, err := openJournal(ctx, socket)
	if err != nil {
		return err
	}
	defer j.close()
	k := &keeper{log: log, journal: j, resolved: resolved, hosts: new(hostsFile), place: place}
	return k.run(ctx, control.KeepNames(ctx, control.New(socket)))
}

func (k *keeper) run(ctx context.Context, call *control.NamesCall) error {
	defer call.Close() // last: then the node knows that everything is undone
	defer k.undo()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-call.Ended:
			return err
		case o := <-call.Orders:
			if o.End {
				return nil
			}
			k.take(o)
		case <-tick.C:
			k.apply(true)
		case <-k.resolved.news():
			k.apply(false)
		}
		call.Report(k.is)
	}
}

// take carries out an order. One that no node gives undoes everything.
func (k *keeper) take(o control.NameOrder) {
	if err := check(o); err != nil {
		k.log.Error("the node orders what it may not", "error", err)
		k.undo()
		k.order, k.is = control.NameOrder{}, control.NameReport{Reason: "the node orders what it may not: " + err.Error(), PutBack: k.is.PutBack}
		return
	}
	k.order = o
	k.hosts.node = o.Interface // a block may be there from before the machine started
	k.apply(false)
}

// apply makes the order's names known by the first way that works. A look finds what
// other programs have taken out.
func (k *keeper) apply(look bool) {
	if k.order.Interface == "" {
		return // no order yet
	}
	was := k.is
	k.is = control.NameReport{PutBack: was.PutBack}
	if k.place != nil && k.order.Mode == "auto" {
		k.is.Reason = k.place.Error()
		return
	}
	for _, w := range k.ways() {
		if k.is.By != "" {
			k.drop(w.name, w.way)
			continue
		}
		changed, err := k.put(w.name, w.way)
		if err == nil {
			if k.is.By = w.name; look && changed && was.By == w.name {
				k.is.PutBack++
				k.log.Warn("another program had taken out the names of peers: put back", "by", w.name)
			}
			continue
		}
		k.drop(w.name, w.way)
		if !errors.Is(err, errNothing) || k.order.Mode == w.name {
			k.is.Reason = strings.TrimPrefix(k.is.Reason+"; "+w.label+": "+err.Error(), "; ")
		}
	}
	if k.is.By != was.By || k.is.Reason != was.Reason {
		k.log.Info("names of peers on this host", "by", k.is.By, "reason", k.is.Reason)
	}
}

type namedWay struct {
	name, label string
	way         way
}

// ways are those of the order's mode, the first to be tried first. The others are none
// of its.
func (k *keeper) ways() []namedWay {
	resolved := namedWay{control.NamesByResolved, "systemd-resolved", k.resolved}
	hosts := namedWay{control.NamesByHosts, "/etc/hosts", k.hosts}
	switch k.order.Mode {
	case "auto":
		return []namedWay{resolved, hosts}
	case "resolved":
		return []namedWay{resolved}
	case "hosts":
		return []namedWay{hosts}
	}
	return nil
}

// put writes into the journal what it is about to do.
func (k *keeper) put(name string, w way) (bool, error) {
	if err := k.journal.note(name, k.order); err != nil {
		return false, err
	}
	return w.put(k.order)
}

func (k *keeper) drop(name string, w way) {
	if err := w.drop(); err != nil {
		k.log.Warn("the names of peers are still there", "by", name, "error", err)
		return
	}
	k.journal.gone(name)
}

func (k *keeper) undo() {
	k.drop(control.NamesByResolved, k.resolved)
	k.drop(control.NamesByHosts, k.hosts)
}

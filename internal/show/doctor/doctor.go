package doctor

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/routing"
)

// Options say which node to look at.
type Options struct {
	ConfigPath string
	Flag       string // by which a command is given this config: " -i NAME", or nothing
	NodeFlag   string // the same for a command about the running node
	Socket     string // control socket
	Offline    bool   // ask nothing of the network
	Peer       string // DID, name or overlay address: only the path to this one; "" for all
}

// A Report is what was looked at and what was found.
type Report struct {
	control.Stamp
	Worst    string            `json:"worst"`    // highest level of the findings, "" for none
	Checks   []string          `json:"checks"`   // what was looked at
	Findings []control.Finding `json:"findings"` // the worst first
}

// Exit codes of l2tun doctor.
const (
	ExitOK       = 0 // nothing, or notes only
	ExitWarnings = 1
	ExitErrors   = 2
)

// Exit is the exit code of a report.
func (r *Report) Exit() int {
	return map[string]int{control.LevelWarning: ExitWarnings, control.LevelError: ExitErrors}[r.Worst]
}

// An exam is one run: what has been learnt so far, and what was found. Checks run
// one after the other; those of the network run in goroutines of their own check.
type exam struct {
	o      Options
	now    time.Time
	report Report

	config  *config.Config  // nil: it cannot be read
	status  *control.Status // nil: no node answers
	host    *routing.Host   // nil: it cannot be read
	targets []target        // to the peers' endpoints
}

// find notes a finding with the commands that do what it says, on this host.
func (e *exam) find(code, level, about, what, do string, run ...string) {
	e.report.Findings = append(e.report.Findings, control.Finding{Code: code, Level: level, About: about, What: what, Do: do,
		Run: append([]string{}, run...), RunThere: []string{}})
}

// Run looks at everything and returns what it found.
func Run(ctx context.Context, o Options) *Report {
	e := &exam{o: o, now: time.Now()}
	e.report.Stamp = control.NewStamp()
	for _, c := range []struct {
		name string
		look func(context.Context)
	}{
		{"config", e.lookAtConfig},
		{"key", e.lookAtKey},
		{"clock", e.lookAtClock},
		{"node", e.lookAtNode},
		{"machine", e.lookAtMachine},
		{"buffers", e.lookAtBuffers},
		{"addresses and routes", e.lookAtHost},
		{"other VPNs", e.lookAtVPNs},
		{"paths to peers", e.lookAtPeers},
	} {
		if ctx.Err() == nil {
			e.report.Checks = append(e.report.Checks, c.name)
			c.look(ctx)
		}
	}
	return e.end()
}

func (e *exam) end() *Report {
	r := &e.report
	e.dropSymptoms()
	rank := []string{control.LevelError, control.LevelWarning, control.LevelNote}
	slices.SortStableFunc(r.Findings, func(a, b control.Finding) int {
		if d := slices.Index(rank, a.Level) - slices.Index(rank, b.Level); d != 0 {
			return d
		}
		return strings.Compare(a.Code, b.Code)
	})
	r.Findings = append([]control.Finding{}, r.Findings...)
	r.Worst = health.Worst(r.Findings)
	return r
}

// dropSymptoms drops "the peer does not answer", and that its path is not direct, where a
// finding names the cause: a blocked or narrow path.
func (e *exam) dropSymptoms() {
	more := []string{health.UDPBlocked, health.Unreachable, health.NarrowPath, health.NoHandshake, health.Unresolvable}
	blocked := make(map[string]bool)
	for _, f := range e.report.Findings {
		blocked[f.About] = blocked[f.About] || slices.Contains(more, f.Code)
	}
	symptoms := []string{health.Silent, health.NoUDP, health.NoHub, health.SmallPath}
	e.report.Findings = slices.DeleteFunc(e.report.Findings, func(f control.Finding) bool { return slices.Contains(symptoms, f.Code) && blocked[f.About] })
}

// answerTime is how long a node may take to answer.
const answerTime = 5 * time.Second

// lookAtNode asks the running node, takes over what it says of itself, and holds
// its config against the file.
func (e *exam) lookAtNode(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	s, err := control.New(e.o.Socket).Status(ctx)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		e.find(health.NoNode, control.LevelWarning, "", "no node runs ("+err.Error()+")", "start it", "l2tun up -d"+e.o.Flag)
		return
	case err != nil:
		e.find(health.Mute, control.LevelError, "", err.Error(), "look at its log; if it hangs, send it SIGQUIT for a stack trace, stop it and send a bug report", "l2tun bugreport"+e.o.NodeFlag)
		return
	}
	e.status = s
	e.report.Findings = append(append(e.report.Findings, s.Health...), health.Passing(s)...)
	if s.Program != control.Program() {
		e.find(health.OtherVersion, control.LevelWarning, "", "the node is "+s.Program+" and this is "+control.Program(), "restart the node", "l2tun down"+e.o.NodeFlag+" && l2tun up -d"+e.o.Flag)
	}
	if e.config != nil && sameFile(s.Config, e.config.Path) && s.ConfigDigest != "" && s.ConfigDigest != e.config.Digest() {
		e.find(health.Drift, control.LevelWarning, e.config.Path, "has changed since the node read it", "reload it; what needs a restart is then named", "l2tun reload"+e.o.NodeFlag)
	}
}

// sameFile reports whether two paths lead to one file, however they are written.
func sameFile(a, b string) bool {
	fa, errA := os.Stat(a)
	fb, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(fa, fb)
}

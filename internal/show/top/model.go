package top

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

const (
	keep     = 120 // samples of each peer
	callTime = 10 * time.Second
	sayFor   = 5 * time.Second // that a message is shown
)

// A Source is the node that is shown. control.Client is one.
type Source interface {
	Status(ctx context.Context) (*control.Status, error)
	Events(ctx context.Context, follow bool, f func(control.Event) error) error
	Rotate(ctx context.Context, peer string) ([]control.Rotated, error)
	Prefer(ctx context.Context, peer, carrier string) error
}

// A Model is what the screen shows.
type Model struct {
	source Source
	ctx    context.Context // ends calls that are under way
	every  time.Duration
	paint  screen.Paint

	status  *control.Status // nil before the first answer
	events  []control.Event // all that the node keeps, oldest first
	past    map[string]*past
	at      time.Time // of the last sample
	cursor  int
	width   int
	height  int    // 0: as many lines as there are
	said    string // what the last key came to
	saidAt  time.Time
	once    bool  // printed as text: there are no keys
	failure error // of the last question
}

// past is what a peer did lately, a value for each sample.
type past struct {
	rx, tx         uint64
	in, out, rtt   []float64 // bytes a second; milliseconds
	inRate, txRate float64
}

// A Sample is the answer of the node.
type Sample struct {
	At     time.Time
	Status *control.Status
	Events []control.Event
	Err    error
}

// done is how a key's action ended.
type done struct{ said string }

type tick struct{}

// New returns a model of a node that is asked every so often; calls end with ctx.
func New(ctx context.Context, s Source, every time.Duration, p screen.Paint) *Model {
	return &Model{source: s, ctx: ctx, every: every, paint: p, past: make(map[string]*past), width: 80}
}

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return m.ask }

// Ask asks the node once.
func (m *Model) Ask() Sample {
	ctx, cancel := context.WithTimeout(m.ctx, callTime)
	defer cancel()
	s := Sample{At: time.Now()}
	if s.Status, s.Err = m.source.Status(ctx); s.Err != nil {
		return s
	}
	s.Err = m.source.Events(ctx, false, func(e control.Event) error {
		s.Events = append(s.Events, e)
		return nil
	})
	return s
}

func (m *Model) ask() tea.Msg { return m.Ask() }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case Sample:
		m.take(msg)
		return m, tea.Tick(m.every, func(time.Time) tea.Msg { return tick{} })
	case tick:
		return m, m.ask
	case done:
		m.said, m.saidAt = msg.said, m.at
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

// take enters a sample. One that failed leaves what was shown.
func (m *Model) take(s Sample) {
	if m.failure = s.Err; s.Err != nil {
		return
	}
	if m.said != "" && s.At.Sub(m.saidAt) > sayFor {
		m.said = ""
	}
	over := s.At.Sub(m.at).Seconds()
	first := m.status == nil
	m.status, m.events, m.at = s.Status, s.Events, s.At
	there := make(map[string]*past)
	for i := range s.Status.Peers {
		p := &s.Status.Peers[i]
		h := m.past[p.DID]
		if h == nil {
			h = new(past)
			h.rx, h.tx = p.RxBytes, p.TxBytes
			h.inRate, h.txRate = p.RxRate, p.TxRate
		} else if over > 0 && !first {
			h.add(p, over)
		}
		there[p.DID] = h
	}
	m.past = there
	m.cursor = max(0, min(m.cursor, len(s.Status.Peers)-1))
}

// add enters what a peer moved in the last seconds.
func (h *past) add(p *control.Peer, over float64) {
	if p.RxBytes >= h.rx && p.TxBytes >= h.tx { // else it is another session
		h.inRate, h.txRate = float64(p.RxBytes-h.rx)/over, float64(p.TxBytes-h.tx)/over
	}
	h.rx, h.tx = p.RxBytes, p.TxBytes
	h.in, h.out, h.rtt = grow(h.in, h.inRate), grow(h.out, h.txRate), grow(h.rtt, p.RTTMS)
}

func grow(values []float64, v float64) []float64 {
	if len(values) >= keep {
		values = slices.Delete(values, 0, len(values)-keep+1)
	}
	return append(values, v)
}

// key does what a key asks for.
func (m *Model) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "up", "k":
		m.cursor = max(0, m.cursor-1)
	case "down", "j":
		m.cursor = max(0, min(m.cursor+1, m.peers()-1))
	case "r":
		return m.act("new keys with ", m.rotate)
	case "c":
		return m.act("", m.nextCarrier)
	}
	return nil
}

func (m *Model) peers() int {
	if m.status == nil {
		return 0
	}
	return len(m.status.Peers)
}

// selected is the peer under the cursor; nil without peers.
func (m *Model) selected() *control.Peer {
	if m.peers() == 0 {
		return nil
	}
	return &m.status.Peers[m.cursor]
}

// act asks the node to do something with the selected peer.
func (m *Model) act(what string, f func(context.Context, control.Peer) (string, error)) tea.Cmd {
	p := m.selected()
	if p == nil {
		return nil
	}
	peer := *p
	m.said, m.saidAt = "asking the node …", m.at
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, callTime)
		defer cancel()
		said, err := f(ctx, peer)
		if err != nil {
			return done{err.Error()}
		}
		return done{what + said}
	}
}

func (m *Model) rotate(ctx context.Context, p control.Peer) (string, error) {
	all, err := m.source.Rotate(ctx, p.DID)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if r.Error != "" {
			return health.Called(&p) + ": none, " + r.Error, nil
		}
	}
	return health.Called(&p), nil
}

// nextCarrier prefers the one after the one that is preferred; after the last
// one, the best again.
func (m *Model) nextCarrier(ctx context.Context, p control.Peer) (string, error) {
	order := append([]string{""}, link.Names()...)
	var refused error
	for i := range order {
		next := order[(slices.Index(order, p.Prefer)+1+i)%len(order)]
		if refused = m.source.Prefer(ctx, p.DID, next); refused != nil {
			continue // it is switched off
		}
		if next == "" {
			return health.Called(&p) + " uses the best transport", nil
		}
		return health.Called(&p) + " prefers " + screen.Transport("", next), nil
	}
	return "", refused
}

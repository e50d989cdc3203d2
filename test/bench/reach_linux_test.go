package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

func TestPairs(t *testing.T) {
	for text, want := range map[string]couple{"home:symmetric": {nat.Home, nat.Symmetric, false}, "none:no-udp:6": {nat.None, nat.NoUDP, true}} {
		if got, err := parsePair(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "home", "home:house", "home:home:4", "home:home:6:6"} {
		if got, err := parsePair(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
	o := ReachOptions{Trials: 1, Kinds: []string{"home", "cone"}, Rounds: 1, Time: time.Second}
	if err := o.Check(); err != nil || len(o.couples()) != 5 || len(o.Pairs) == 0 {
		t.Errorf("%d cells, %v", len(o.couples()), err)
	}
	for what, wrong := range map[string]func(*ReachOptions){
		"no trials": func(o *ReachOptions) { o.Trials = 0 }, "no rounds": func(o *ReachOptions) { o.Rounds = 0 },
		"half a second": func(o *ReachOptions) { o.Time /= 2 }, "an unknown part": func(o *ReachOptions) { o.Parts = []string{"walks"} },
	} {
		bad := o
		if wrong(&bad); bad.Check() == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// What the NATs permit, by hand from the table of package nat.
func TestWhatIsExpectedOfReach(t *testing.T) {
	for text, want := range map[string]reach.Expected{
		"home:home": reach.Direct, "careless:home": reach.Direct, "none:symmetric": reach.Direct, "symmetric:address-cone": reach.Direct,
		"symmetric:home": reach.Circuit, "careless:symmetric": reach.Circuit, "symmetric:symmetric": reach.Circuit, "symmetric:firewall": reach.Circuit,
		"double:double": reach.Direct, "double:symmetric": reach.Circuit, "double-symmetric:cone": reach.Direct, "double-symmetric:tiny": reach.Circuit,
		"shared:shared": reach.Circuit, "shared-hairpin:shared-hairpin": reach.Direct, "shared:home": reach.Direct,
		"k8s-node:symmetric": reach.Direct, "no-udp:none": reach.Circuit, "symmetric:symmetric:6": reach.Direct, "no-udp:none:6": reach.Circuit,
	} {
		c, err := parsePair(text)
		if err != nil || c.expected() != want {
			t.Errorf("%s: %v, %v", text, c.expected(), err)
		}
	}
}

// A report of made-up trials: what is written of them, and what counts as missed.
func TestReportOfReach(t *testing.T) {
	o := ReachOptions{Trials: 2, Kinds: []string{"home", "symmetric"}, Pairs: []string{"home:home"}, Rounds: 2, Time: 3 * time.Second}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	r := ReachResult{Trials: []Trial{
		{Pair: "home:home", FirstMS: 200, DirectMS: 400, Carrier: "direct"}, {Pair: "home:home", FirstMS: 400, DirectMS: 800, Carrier: "direct"},
		{Pair: "home:home", Matrix: true, FirstMS: 100, DirectMS: 321, Carrier: "direct"},
		{Pair: "home:symmetric", Matrix: true, FirstMS: 100, Carrier: "circuit", Why: "symmetric_nat"},
		{Pair: "symmetric:home", Matrix: true, FirstMS: 100, Carrier: "circuit"}, {Pair: "symmetric:symmetric", Matrix: true, FirstMS: 100, Carrier: "circuit"},
	}, Stirs: []Stir{{What: stirNames()[0], GapMS: 900, Lost: 3}}, Seconds: 3, Through: []Through{
		{Contender: l2tunHub, Gbits: 1.5, HubCPU: 0.5, AllCPU: 2}, {Contender: l2tunHub, Gbits: 2.5, HubCPU: 0.7, AllCPU: 3}, {Contender: nebulaRelay, Gbits: 0.5, HubCPU: 5, AllCPU: 9},
	}, Homes: map[string]float64{"MiB-of-hub": 300.4, "ms-MEET-p99": 25}}
	text := r.markdown(o)
	for _, want := range []string{
		"| home:home | 2 | 300 ms | 200 ms | 600 ms | 400 ms | 0 | 2 direct |",
		"| home | 321 ms | circuit |", "| symmetric | circuit | circuit |",
		"| two homes, cold, first packet, median | 1000 ms, aim 500 | 300 ms | met, also the aim |",
		"| the caller's NAT forgets everything: without traffic, median | 3000 ms, aim 1000 | 900 ms | met, also the aim |",
		"| cells of the matrix without a packet | 0 | 0 of 4 | met, also the aim |",
		"| l2tun | 2 | 2.00 Gbit/s (1.50–2.50) | 0.60 s/GB (0.50–0.70) | 2.50 s/GB (2.00–3.00) |",
		"| TCP through a hub | at least 1 Gbit/s | 2.00 Gbit/s | met, also the aim |",
		"| memory of the hub | 300 MiB |",
		"| 10,000 homes: memory of the hub | 1024 MiB | 300 MiB | met, also the aim |",
		"| 10,000 homes: MEET to the hub's answer, 99 of 100 | 20 ms | 25.0 ms | **not met** |",
		"| – CPU of the hub a gigabyte | 1.0 s, aim 0.4 | 0.60 s | met |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	r.Homes["ms-MEET-p99"] = 2
	if err := r.judged(o); err != nil {
		t.Error(err)
	}
	r.Trials[2].DirectMS, r.Trials[3].DirectMS, r.Stirs[0].GapMS = 0, 50, 3001
	r.Through[0].Gbits, r.Through[1].Gbits = 0.9, 0.9
	err := r.judged(o)
	if err == nil || !strings.Contains(err.Error(), "TCP through a hub") || !strings.Contains(err.Error(), "otherwise than") || !strings.Contains(err.Error(), stirNames()[0]) {
		t.Errorf("missed: %v", err)
	}
	if text := r.markdown(o); !strings.Contains(text, "**50 ms**") {
		t.Errorf("an unexpected cell is not bold\n%s", text)
	}
	if c := r.chart(o); len(c.Groups) != 1 || c.Series[0].Values[0] != 0.3 || c.Series[1].Values[0] != 0.6 {
		t.Errorf("%+v", c)
	}
}

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
	o := ReachOptions{Trials: 1, Sprays: 1, Lanes: 1, Kinds: []string{"home", "cone"}, Rounds: 1, Time: time.Second}
	if err := o.Check(); err != nil || len(o.couples()) != 8 || len(o.Pairs) == 0 {
		t.Errorf("%d cells, %v", len(o.couples()), err)
	}
	for what, wrong := range map[string]func(*ReachOptions){
		"no trials": func(o *ReachOptions) { o.Trials = 0 }, "no rounds": func(o *ReachOptions) { o.Rounds = 0 },
		"no sprays": func(o *ReachOptions) { o.Sprays = 0 }, "no lanes": func(o *ReachOptions) { o.Lanes = 0 },
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
	o := ReachOptions{Trials: 2, Sprays: 1, Lanes: 4, Kinds: []string{"home", "symmetric"}, Pairs: []string{"home:home"}, Rounds: 2, Time: 3 * time.Second}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	direct := func(pair string, ms float64) Trial {
		return Trial{Pair: pair, FirstMS: 100, DirectMS: ms, Carrier: "direct"}
	}
	circuit := func(pair string) Trial { return Trial{Pair: pair, FirstMS: 100, Carrier: "circuit"} }
	r := ReachResult{Times: Trials{
		{Pair: "home:home", FirstMS: 200, DirectMS: 400, Carrier: "direct"}, {Pair: "home:home", FirstMS: 400, DirectMS: 800, Carrier: "direct"},
	}, Matrix: Trials{direct("home:home", 321), circuit("home:symmetric"), circuit("symmetric:home"), circuit("symmetric:symmetric"), direct("symmetric:home:6", 654)},
		Flows:   Stirs{{What: stirs()[0].what, GapMS: 900, Lost: 3, TCP: true}},
		Sprayed: Sprays{Timed: Trials{direct("symmetric:home", 1500), direct("symmetric:home", 1700), direct("careless:symmetric", 4100)}},
		Woken:   Wakes{{wakings()[0].what, direct("home:home", 130)}, {wakings()[2].what, direct("home:careless", 700)}, {wakings()[3].what, Trial{Pair: "careless:home"}}},
		Seconds: 3, Through: []Through{
			{Contender: l2tunHub, Gbits: 1.5, HubCPU: 0.5, AllCPU: 2}, {Contender: l2tunHub, Gbits: 2.5, HubCPU: 0.7, AllCPU: 3}, {Contender: nebulaRelay, Gbits: 0.5, HubCPU: 5, AllCPU: 9},
		}, Homes: map[string]float64{"MiB-of-hub": 300.4, "ms-MEET-p99": 25}}
	for _, c := range couples(counting(), false) {
		if c.caller == nat.Symmetric && c.callee == nat.Symmetric {
			r.Sprayed.Sixteen = append(r.Sprayed.Sixteen, circuit(c.String()))
		} else {
			r.Sprayed.Sixteen = append(r.Sprayed.Sixteen, direct(c.String(), 999))
		}
	}
	text := r.markdown(o)
	for _, want := range []string{
		"| home:home | 2 | 300 ms | 200 ms | 600 ms | 400 ms | 0 | 2 direct |",
		"| home | 321 ms | circuit |", "| symmetric | circuit | circuit |", "| symmetric | 654 ms |  |",
		"| two homes, cold, first packet, median | 1000 ms, aim 500 | 300 ms | met, also the aim |",
		"| the caller's NAT forgets everything: without traffic, median | 3000 ms, aim 1000 | 900 ms | met, also the aim |",
		"| TCP connections that did not live through it | 0 | 0 of 1 | met |",
		"| cells of the matrix without a packet | 0 | 0 of 5 | met |",
		"| none, cone, home, symmetric, each with each over IPv4: direct | 13 of 16 |  | not measured |",
		"| none, cone, home, symmetric, each with each over IPv4, with the spray: direct | 15 of 16 | 15 of 16 | met |",
		"| symmetric with home or careless, with the spray: direct within 4 s | at least 96 of 100 | 66.7 % of 3 | **not met** |",
		"| a sleeper, none wakes none, whose endpoint it knows: first packet, median | 150 ms | 100 ms | met |",
		"| a sleeper, careless wakes home: first packet, median | 1000 ms | never | **not met** |",
		"| sleepers behind a careless NAT that were not woken, or are not direct | 0 | 0 of 1 | met |",
		"| l2tun | 2 | 2.00 Gbit/s (1.50–2.50) | 0.60 s/GB (0.50–0.70) | 2.50 s/GB (2.00–3.00) |",
		"| TCP through a hub | at least 1 Gbit/s | 2.00 Gbit/s | met |",
		"| memory of the hub | 300 MiB |",
		"| 10,000 homes: memory of the hub | 1024 MiB | 300 MiB | met |",
		"| 10,000 homes: MEET to the hub's answer, 99 of 100 | 20 ms | 25.0 ms | **not met** |",
		"| – CPU of the hub a gigabyte | 1.0 s, aim 0.4 | 0.60 s | met |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	r.Homes["ms-MEET-p99"], r.Sprayed.Timed, r.Woken = 2, r.Sprayed.Timed[:2], r.Woken[:2]
	if err := r.judged(o); err != nil {
		t.Error(err)
	}
	r.Matrix[0].DirectMS, r.Matrix[1].DirectMS, r.Flows[0].GapMS, r.Flows[0].TCP = 0, 50, 3001, false
	r.Sprayed.Sixteen[15].DirectMS, r.Sprayed.Sixteen[14].DirectMS, r.Sprayed.Sixteen[13].DirectMS = 0, 0, 0
	r.Woken[1].DirectMS, r.Through[0].Gbits, r.Through[1].Gbits = 0, 0.9, 0.9
	err := r.judged(o)
	for _, want := range []string{"TCP through a hub", "otherwise than", stirs()[0].what, "TCP connections", "with the spray", "sleepers behind"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missed: %v; not %q", err, want)
		}
	}
	if text := r.markdown(o); !strings.Contains(text, "**50 ms**") {
		t.Errorf("an unexpected cell is not bold\n%s", text)
	}
	if c := r.Times.chart(o.Pairs); len(c.Groups) != 1 || c.Series[0].Values[0] != 0.3 || c.Series[1].Values[0] != 0.6 {
		t.Errorf("%+v", c)
	}
}

package bench

import (
	"slices"
	"strings"
	"testing"
)

// rounds makes a result of figures by round.
func rounds(of map[[2]string][]float64) *Result {
	r := &Result{Rounds: 3, Seconds: 3}
	for k, values := range of {
		for i, v := range values {
			if v >= 0 { // else missing
				r.Samples = append(r.Samples, Sample{Round: i, Contender: k[0], Metric: k[1], Value: v})
			}
		}
	}
	return r
}

// A ratio compares figures of the same round, so a machine that slows down in the
// middle changes no ratio.
func TestRatiosAreThoseOfTheRounds(t *testing.T) {
	r := rounds(map[[2]string][]float64{
		{wireguard, "tcp-up"}: {4, 1, 2},
		{direct, "tcp-up"}:    {8, 2, 4},
		{utcp, "tcp-up"}:      {-1, 3, 2},
	})
	if s := r.ratio(direct, wireguard, "tcp-up"); s != (spread{median: 2, min: 2, max: 2, n: 3}) {
		t.Errorf("%+v", s)
	}
	if s := r.ratio(utcp, wireguard, "tcp-up"); s != (spread{median: 2, min: 1, max: 3, n: 2}) {
		t.Errorf("with a round missing: %+v", s)
	}
	if s := r.figure(direct, "tcp-up"); s != (spread{median: 4, min: 2, max: 8, n: 3}) {
		t.Errorf("%+v", s)
	}
	if s := r.ratio(datagram, wireguard, "tcp-up"); s.n != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}

func TestCentiles(t *testing.T) {
	var v []float64
	for i := range 100 {
		v = append(v, float64(100-i))
	}
	if got := [3]float64{centile(v, 50), centile(v, 99), centile[float64](nil, 50)}; got != [3]float64{50, 99, 0} {
		t.Error(got)
	}
}

func TestVerdicts(t *testing.T) {
	more := goal{limit: 1.5, aim: 2}
	less := goal{limit: 0.6, aim: 0.45, less: true}
	strict := goal{limit: 1, strict: true}
	for _, c := range []struct {
		g    goal
		v    float64
		want string
	}{
		{more, 1.49, "**not met**"}, {more, 1.5, "met"}, {more, 2, "met, also the aim"},
		{less, 0.61, "**not met**"}, {less, 0.6, "met"}, {less, 0.4, "met, also the aim"},
		{strict, 1, "**not met**"}, {strict, 1.01, "met"},
	} {
		if got := c.g.verdict(spread{median: c.v, n: 1}); got != c.want {
			t.Errorf("%+v, %v: %s", c.g, c.v, got)
		}
	}
	if got := more.verdict(spread{}); got != "not measured" {
		t.Error(got)
	}
}

// A run of which one figure misses its goal ends with an error that names it; what was
// not measured is not held against it.
func TestAMissedGoalIsAnError(t *testing.T) {
	good := rounds(map[[2]string][]float64{{wireguard, "tcp-up"}: {1}, {direct, "tcp-up"}: {2}})
	if err := good.judged(); err != nil {
		t.Error(err)
	}
	bad := rounds(map[[2]string][]float64{{wireguard, "tcp-up"}: {1}, {direct, "tcp-up"}: {1.4}})
	if err := bad.judged(); err == nil || err.Error() != "bench: not met: direct, one TCP stream, A to B: 1.40×, not ≥ 1.50×" {
		t.Error(err)
	}
}

// Every goal names a metric and a contender that there are.
func TestGoalsCanBeMeasured(t *testing.T) {
	for _, g := range goals() {
		if !slices.ContainsFunc(metrics(), func(m metric) bool { return m.id == g.metric }) || !slices.Contains(usual(), g.contender) {
			t.Errorf("%+v", g)
		}
	}
	for _, g := range groups() {
		if !slices.ContainsFunc(metrics(), func(m metric) bool { return m.id == g.metric }) {
			t.Errorf("%+v", g)
		}
	}
	for _, m := range metrics() {
		if m.row != rowAlways && !slices.Contains(rowNames(), m.row) {
			t.Errorf("%+v", m)
		}
	}
}

func TestReportShowsFiguresRatiosAndGaps(t *testing.T) {
	r := rounds(map[[2]string][]float64{
		{bare, "tcp-up"}:             {20, 21, 22},
		{wireguard, "tcp-up"}:        {4, 1, 2},
		{direct, "tcp-up"}:           {8, 2, 4},
		{direct + "@1", "tcp-up"}:    {3, 3, 3},
		{wireguard + "@1", "tcp-up"}: {2, 2, 2},
	})
	r.Missing = []string{"round 1, utcp, tcp-up: it broke"}
	o := Options{Contenders: append(usual(), "direct@2")}
	text := r.markdown(o)
	for _, want := range []string{
		"| | unit | veth | wireguard-go | direct |\n",
		"| TCP, one stream, A to B | Gbit/s | 21.00 [20.00–22.00] **×11.00** | 2.00 [1.00–4.00] | 4.00 [2.00–8.00] **×2.00** |\n",
		"### With GOMAXPROCS=1", "| 2.00 [2.00–2.00] | 3.00 [3.00–3.00] **×1.50** |",
		"| direct, one TCP stream, A to B | ≥ 1.50× | ≥ 2.00× | 2.00× [2.00×–2.00×] | met, also the aim |",
		"| not measured |", "Missing: round 1, utcp, tcp-up: it broke",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the report:\n%s", want, text)
		}
	}
	if strings.Contains(text, "GOMAXPROCS=2") {
		t.Error("a table for what was not measured")
	}
}

// Each carrier has a bar in each group, higher for the better; what is missing has none.
func TestChartShowsRatios(t *testing.T) {
	c := rounds(map[[2]string][]float64{
		{wireguard, "tcp-up"}: {4, 1, 2},
		{direct, "tcp-up"}:    {8, 2, 4},
		{wireguard, "ping"}:   {8, 2, 4},
		{utcp, "ping"}:        {4, 1, 2},
	}).chart()
	at := func(metric string) int {
		return slices.IndexFunc(groups(), func(g group) bool { return g.metric == metric })
	}
	for _, s := range c.Series {
		want := make([]float64, len(c.Groups))
		switch s.Name {
		case direct:
			want[at("tcp-up")] = 2
		case utcp:
			want[at("ping")] = 2 // half the time
		}
		if !slices.Equal(s.Values, want) {
			t.Errorf("%s: %v, not %v", s.Name, s.Values, want)
		}
	}
	if len(c.Series) != 3 {
		t.Errorf("%d series", len(c.Series))
	}
}

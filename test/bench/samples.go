package bench

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
)

// A Sample is one measured figure.
type Sample struct {
	Round     int     `json:"round"`
	Contender string  `json:"contender"`
	Metric    string  `json:"metric"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`
}

// A Result is what a run has measured.
type Result struct {
	Machine Machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Seconds float64  `json:"seconds"` // of one throughput measurement
	Missing []string `json:"missing"` // sentences: what could not be measured
	Samples []Sample `json:"samples"`
}

// writeJSON writes all of it to a file.
func (r *Result) writeJSON(file string) error {
	return writeJSON(file, r)
}

func writeJSON(file string, what any) error {
	out, err := json.MarshalIndent(what, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o644)
}

// has reports whether a contender has been measured at all.
func (r *Result) has(contender string) bool {
	return slices.ContainsFunc(r.Samples, func(s Sample) bool { return s.Contender == contender })
}

// values are the figures of a contender by round.
func (r *Result) values(contender, metric string) map[int]float64 {
	v := make(map[int]float64)
	for _, s := range r.Samples {
		if s.Contender == contender && s.Metric == metric {
			v[s.Round] = s.Value
		}
	}
	return v
}

// A spread is the middle and the ends of some figures.
type spread struct {
	median, min, max float64
	n                int
}

func spreadOf(values []float64) (s spread) {
	if s.n = len(values); s.n == 0 {
		return s
	}
	v := slices.Sorted(slices.Values(values))
	s.median = (v[(s.n-1)/2] + v[s.n/2]) / 2
	s.min, s.max = v[0], v[s.n-1]
	return s
}

// figure is what a contender showed.
func (r *Result) figure(contender, metric string) spread {
	var v []float64
	for _, x := range r.values(contender, metric) {
		v = append(v, x)
	}
	return spreadOf(v)
}

// ratio compares two contenders: the median of the rounds' own ratios.
func (r *Result) ratio(of, to, metric string) spread {
	var v []float64
	base := r.values(to, metric)
	for round, x := range r.values(of, metric) {
		if b := base[round]; b > 0 {
			v = append(v, x/b)
		}
	}
	return spreadOf(v)
}

// centile is the value that p of a hundred stay below; nothing gives 0.
func centile[V cmp.Ordered](values []V, p int) (none V) {
	if len(values) == 0 {
		return none
	}
	v := slices.Sorted(slices.Values(values))
	return v[(len(v)-1)*p/100]
}

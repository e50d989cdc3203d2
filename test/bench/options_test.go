package bench

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	good := Options{Rounds: 1, Time: time.Second, Idle: time.Second}
	o := good
	if err := o.Check(); err != nil || len(o.Rows) != len(rowNames()) || len(o.Contenders) != len(usual()) {
		t.Errorf("%+v, %v", o, err)
	}
	for want, change := range map[string]func(*Options){
		`no row "tcp"`:              func(o *Options) { o.Rows = []string{"tcp"} },
		`no contender "openvpn"`:    func(o *Options) { o.Contenders = []string{"openvpn"} },
		`"direct@0": behind @`:      func(o *Options) { o.Contenders = []string{"direct@0"} },
		`"veth@1": behind @`:        func(o *Options) { o.Contenders = []string{"veth@1"} },
		"at least one round":        func(o *Options) { o.Rounds = 0 },
		"whole seconds":             func(o *Options) { o.Time = 1500 * time.Millisecond },
		"watched for at least one ": func(o *Options) { o.Idle = 0 },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Over as many rounds as there are contenders each is once in each place.
func TestOrderRotates(t *testing.T) {
	all := []contender{{name: "a"}, {name: "b"}, {name: "c"}}
	var first []string
	for round := range 4 {
		o := order(all, round)
		if len(o) != 3 {
			t.Fatal(o)
		}
		first = append(first, o[0].name)
	}
	if !slices.Equal(first, []string{"a", "b", "c", "a"}) {
		t.Error(first)
	}
}

func TestWhoIsMeasuredWhere(t *testing.T) {
	for name, want := range map[string]string{
		bare: "ping,tcp-up,tcp-down,tcp4,udp1300,udp64,ping-load,loss", wireguard: "idle,ping,tcp-up,tcp-down,tcp4,udp1300,udp64,ping-load,loss",
		direct: "ping,tcp-up,tcp-down,tcp4,udp1300,udp64,ping-load,rotating,lost-peer,loss", utcp: "ping,tcp-up,tcp-down,tcp4,udp1300,udp64,ping-load,rotating,loss", whole: "idle", indirect: "loss", direct + "@2": "tcp-up,tcp-down,tcp4,udp64",
	} {
		c, err := parseContender(name)
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, r := range rowNames() {
			if c.measures(r, 0) {
				rows = append(rows, r)
			}
		}
		if got := strings.Join(rows, ","); got != want || c.measures("idle", 1) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

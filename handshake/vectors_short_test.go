package handshake

import (
	"bytes"
	"testing"
)

// shortVector is one short handshake; see fullVector.
type shortVector struct {
	SeedI   hexes             `json:"seed_i"`
	SeedR   hexes             `json:"seed_r"`
	Random  map[string]string `json:"random"`
	Secret  hexes             `json:"secret"`
	Link    oLink             `json:"link"`
	Binding hexes             `json:"binding"`
	ParamsI oParams           `json:"params_i"`
	ParamsR oParams           `json:"params_r"`
	oOut
}

func (w shortWorld) oracle(lacks string) shortVector {
	v := shortVector{SeedI: seedOf("a"), SeedR: seedOf("b"),
		Random: map[string]string{"initiator": "initiator", "responder": "responder"},
		Secret: w.secret[:], Binding: w.binding.append(nil), ParamsI: paramsOf(w.pa), ParamsR: paramsOf(w.pb)}
	if w.what.Epoch != 0 {
		v.Link = oLink{1, uint16(w.what.Attempt), w.what.Epoch}
		v.Binding = make([]byte, 33)
	} else {
		id := w.what.ID
		v.Link = oLink{2, uint16(id[0]) | uint16(id[1])<<8, uint32(id[2]) | uint32(id[3])<<8 | uint32(id[4])<<16 | uint32(id[5])<<24}
	}
	i, r := oNodes(w.world)
	v.oOut = oShort(w.t, i, r, v.Link, v.Secret, v.Binding, v.ParamsI, v.ParamsR, lacks)
	return v
}

func TestShortVectors(t *testing.T) {
	worlds := []shortWorld{rotationWorld(t), resumptionWorld(t)}
	var all []shortVector
	for _, w := range worlds {
		all = append(all, w.oracle(""))
	}
	same(t, "testdata/short.json", all)
	for n, w := range worlds {
		i, r, m1r, m2r := w.accepted()
		at := all[n].Steps
		if last := at[len(at)-3]; !bytes.Equal(r.s.h[:], last.H) || !bytes.Equal(r.s.ck[:], last.CK) || !bytes.Equal(r.s.root[:], last.Root) {
			t.Errorf("vector %d: the schedule differs after %q", n, last.Step)
		}
		m3r, atI, err := i.Read(nil, m2r)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]byte{"M1r": m1r, "M2r": m2r, "M3r": m3r} {
			if want := all[n].find(name); !bytes.Equal(got, want) {
				t.Errorf("vector %d: %s differs from the generator's at byte %d", n, name, firstDifference(got, want))
			}
		}
		checkKeys(t, all[n].oOut, atI)
	}
}

func TestEverySecretOfShortModeIsNeeded(t *testing.T) {
	for name, w := range shortWorlds(t) {
		honest := w.oracle("")
		for _, lacks := range []string{"psk", "es", "ee", "ke", "se"} {
			without := w.oracle(lacks)
			for _, label := range []string{"M2r", "data i2r", "data r2i", "M3r", "rekey", "resume i2r", "resume r2i"} {
				if without.key(label) == honest.key(label) {
					t.Errorf("%s: key %q does not depend on %q", name, label, lacks)
				}
			}
			if early := lacks == "psk" || lacks == "es"; (without.key("M1r") == honest.key("M1r")) == early {
				t.Errorf("%s: the key of M1r and %q: dependence is wrong", name, lacks)
			}
		}
	}
}

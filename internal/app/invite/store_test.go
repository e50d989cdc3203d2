package invite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

func stored(t *testing.T) (*Store, Link) {
	t.Helper()
	s := NewStore(filepath.Join(t.TempDir(), "n.toml"))
	l := someLink()
	l.Until = time.Now().Add(time.Hour).Truncate(time.Second)
	if err := s.Add(l, Invitation{Name: "bob", Address: "10.9.0.3/24"}); err != nil {
		t.Fatal(err)
	}
	return s, l
}

func who(n byte) did.DID { return did.FromDigest([32]byte{n}) }

func TestFileHoldsNothingThatJoins(t *testing.T) {
	s, l := stored(t)
	text, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	token := l.Text()[strings.Index(l.Text(), "token=")+6:][:22]
	proof := l.Proof()
	if strings.Contains(string(text), token) || strings.Contains(string(text), string(proof[:])) {
		t.Error("the file holds what the joining node shows")
	}
	info, err := os.Stat(s.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// SPEC R-6.12-3.
func TestInvitationIsGoodForOneNode(t *testing.T) {
	s, l := stored(t)
	now := time.Now()
	claim := func(by byte) error {
		i, err := NewStore(strings.TrimSuffix(s.Path(), ".invitations")+".toml").Claim(l.ID, l.Proof(), who(by), now) // as after a restart
		if err == nil && i.Name != "bob" {
			t.Error(i)
		}
		return err
	}
	if err := claim(1); err != nil {
		t.Fatal(err)
	}
	if err := claim(2); !errors.Is(err, ErrUsed) {
		t.Error("claimed twice:", err)
	}
	if err := claim(1); err != nil {
		t.Error("its own claim again:", err)
	}
	if err := s.Release(l.ID); err != nil {
		t.Fatal(err)
	}
	if err := claim(2); err != nil {
		t.Error("after its release:", err)
	}
	if err := s.Joined(l.ID); err != nil {
		t.Fatal(err)
	}
	if err := claim(1); !errors.Is(err, ErrUsed) {
		t.Error("after another has joined:", err)
	}
	now = now.Add(2 * time.Hour)
	if err := claim(2); err != nil {
		t.Error("a node that has joined may get the answer again:", err)
	}
}

func TestWrongAndLateClaims(t *testing.T) {
	s, l := stored(t)
	other := l
	other.Allowed = nil
	for _, c := range []struct {
		id   string
		link Link
		now  time.Time
		want error
		says Reason
	}{
		{"00000000", l, time.Now(), ErrUnknown, Unknown},
		{l.ID, other, time.Now(), ErrAltered, Altered},
		{l.ID, l, l.Until, ErrExpired, Expired},
		{l.ID, l, l.Until.Add(-time.Second), nil, Failed},
	} {
		_, err := s.Claim(c.id, c.link.Proof(), who(1), c.now)
		if !errors.Is(err, c.want) || c.want != nil && ReasonOf(err) != c.says {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if err := s.Remove(l.ID); err != nil {
		t.Error(err)
	}
	if err := s.Remove(l.ID); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.Claim(l.ID, l.Proof(), who(1), time.Now()); !errors.Is(err, ErrUnknown) {
		t.Error("withdrawn:", err)
	}
}

// Of many nodes at once one gets it.
func TestClaimsAtOnce(t *testing.T) {
	s, l := stored(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 16 {
		wg.Go(func() {
			if _, err := s.Claim(l.ID, l.Proof(), who(byte(i)), time.Now()); err == nil {
				mu.Lock()
				got++
				mu.Unlock()
			} else if !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d nodes have it", got)
	}
}

func TestOpenUntilItExpires(t *testing.T) {
	s, l := stored(t)
	for now, want := range map[time.Time]bool{time.Now(): true, l.Until: false} {
		if open, err := s.Open(now); open != want || err != nil {
			t.Error(now, open, err)
		}
	}
	if open, err := NewStore(filepath.Join(t.TempDir(), "x.toml")).Open(time.Now()); open || err != nil {
		t.Error("without a file:", open, err)
	}
}

func TestOldOnesAreForgotten(t *testing.T) {
	s, l := stored(t)
	old := someLink()
	old.Until = time.Now().Add(-remembered - time.Hour)
	if err := s.Add(old, Invitation{}); err != nil {
		t.Fatal(err)
	}
	late := someLink()
	late.Until = time.Now().Add(-time.Hour)
	if err := s.Add(late, Invitation{}); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].ID != l.ID || all[1].State(time.Now()) != "expired" {
		t.Error(all, err)
	}
}

func TestTooManyAreRefused(t *testing.T) {
	s, _ := stored(t)
	err := s.change(func(all []Invitation) ([]Invitation, error) {
		for len(all) < maxInvitations {
			all = append(all, Invitation{Expires: time.Now().Add(time.Hour)})
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l := someLink()
	l.Until = time.Now().Add(time.Hour)
	if err := s.Add(l, Invitation{}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

func TestDamagedFileIsNamed(t *testing.T) {
	s, l := stored(t)
	for _, text := range []string{"", "{", `{"version":2}`, "[]"} {
		if err := os.WriteFile(s.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Claim(l.ID, l.Proof(), who(1), time.Now())
		if err == nil || !strings.Contains(err.Error(), s.Path()+" is damaged") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := os.Remove(s.Path()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Error(err)
	}
}

package session

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// reservedFrames are the frames of meeting that only a hub's session takes, the largest
// MEET among them, and a frame of each type that nobody has.
func reservedFrames() (all [][]byte) {
	var c wire.Candidates
	for port := uint16(4242); c.Add(wire.Candidate{Addr: netip.AddrPortFrom(w4(192, 0, 2, 1), port), Kind: wire.CandidateSeen}); port++ {
	}
	who := [wire.DigestSize]byte{7}
	meet := wire.Meet{ID: 1, Other: who, Label: wire.MakeRecordID([wire.RecordIDSize]byte{1}), Candidates: c}
	met, wide := meet, meet
	met.Met, wide.Sealed = true, make([]byte, wire.MaxSealed)
	all = [][]byte{
		meet.Append(nil), met.Append(nil), wide.Append(nil), wire.Ready{ID: 1, Caller: who}.Append(nil),
		wire.NotMet{ID: 1, Caller: who, Reason: wire.RefusalAbsent}.Append(nil),
		wire.Home{Lifetime: time.Minute}.Append(nil),
	}
	for typ := byte(wire.FrameBatch + 1); typ < 0x40; typ++ {
		if typ != wire.FrameHandshake && typ != wire.FrameCandidates {
			all = append(all, slices.Concat([]byte{typ}, make([]byte, 8)))
		}
	}
	return all
}

// A peer that sends frames of a later version, or of a meeting to a node that is no hub
// and has not chosen the peer for one, loses these frames and nothing else:
// each is counted, the session, its epoch and its path stay.
// SPEC R-7.1-1.
func TestFramesOfALaterVersionAreCountedAndDropped(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.up(sa, time.Second)
		before, epoch := malformed(sa), sa.Status().Epoch
		all := reservedFrames()
		for _, f := range all {
			sb.call(func(time.Time) error {
				p := sb.loop.paths.Using()
				return frames.Send(sb.loop.keys.InUse(), p, p.Kind().Space, f)
			})
			time.Sleep(20 * time.Millisecond)
		}
		w.stays(sa, Established, 5*time.Second)
		if got := malformed(sa) - before; got != uint64(len(all)) {
			t.Errorf("%d of %d frames are counted", got, len(all))
		}
		if now := sa.Status().Epoch; now != epoch || sb.State() != Established {
			t.Errorf("epoch %d became %d, the peer is %v", epoch, now, sb.State())
		}
	})
}

func malformed(s *Session) uint64 { return s.loop.plane.Traffic().Drops()["malformed"] }

// A node says that it takes circuits. An epoch has their number space if the peer says
// so too, and else nothing of meetings leaves or is taken.
// SPEC R-6.13-1.
func TestCircuitsNeedBothEnds(t *testing.T) {
	for _, both := range []bool{true, false} {
		inWorld(t, func(t *testing.T, w *world) {
			if !both { // as a node of minor version 0
				w.b.m.states.Circuits, w.b.m.states.Minor = false, 0
			}
			sa, sb := w.pair(Settings{})
			sa.call(func(time.Time) error {
				p, err := sa.loop.params(1)
				if err != nil || !p.Circuits || p.Minor != 1 {
					t.Errorf("a node states %+v, %v", p, err)
				}
				return nil
			})
			for _, s := range []*Session{sa, sb} {
				s.call(func(time.Time) error {
					e := s.loop.keys.InUse()
					if e.Circuits() != both {
						t.Errorf("circuits in the epoch: %v, stated by both: %v", e.Circuits(), both)
					}
					if err := e.Seal(new(wire.Batch), wire.SpaceCircuit, [][]byte{{0x40}}); errors.Is(err, record.ErrSpace) == both {
						t.Errorf("sealed in the number space of circuits: %v", err)
					}
					return nil
				})
			}
		})
	}
}

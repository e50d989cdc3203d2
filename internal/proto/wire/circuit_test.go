package wire

import (
	"bytes"
	"testing"
)

func TestCircuitsEqualVectors(t *testing.T) {
	v := readMeetingVectors(t)
	for _, c := range v.Circuits {
		label, datagram, ok := CutCircuit(c.Bytes)
		if !ok || label != RecordID(c.Label) || !bytes.Equal(datagram, c.Datagram) || !bytes.Equal(AppendCircuit(nil, label, datagram), c.Bytes) {
			t.Errorf("%s: %x with %x, %v", c.Name, label, datagram, ok)
		}
	}
	for _, r := range v.RefusedCircuits {
		if _, _, ok := CutCircuit(r.Bytes); ok {
			t.Errorf("%s is taken", r.Name)
		}
	}
}

// A sender leaves room for the header, a hub writes over it: neither touches nor
// moves what is inside.
func TestACircuitIsNotCopied(t *testing.T) {
	inside := []byte("a datagram")
	b := append(make([]byte, CircuitHeaderSize), inside...)
	for _, label := range []RecordID{MakeRecordID([7]byte{1}), MakeRecordID([7]byte{0xff, 2, 3, 4, 5, 6, 7})} {
		PutCircuitHeader(b, label)
		got, datagram, ok := CutCircuit(b)
		if !ok || got != label || &datagram[0] != &b[CircuitHeaderSize] || !bytes.Equal(datagram, inside) {
			t.Errorf("%x with %q, %v", got, datagram, ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		label, _, _ := CutCircuit(b)
		PutCircuitHeader(b, label)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Circuit datagrams and records have one form: a label is a record id by form, and
// only a receiver's table tells which of the two a value is.
func TestACircuitHasTheFormOfARecord(t *testing.T) {
	label := MakeRecordID([7]byte{1, 2, 3})
	rec := make([]byte, Overhead)
	PutHeader(rec, MakeRecordID([7]byte{4}), 5, SpaceCircuit)
	outer := AppendCircuit(nil, label, rec)
	if id, _, ok := CutCircuit(rec); !ok || id != MakeRecordID([7]byte{4}) {
		t.Error("a record is no circuit datagram by form")
	}
	if !IsRecord(outer) || RecordID(outer[1:8]) != label || !label.Valid() {
		t.Error("a circuit datagram with a record is no record by form")
	}
	if short := AppendCircuit(nil, label, rec[:Overhead-CircuitHeaderSize-1]); IsRecord(short) {
		t.Error("a circuit datagram that is too short for a record is one")
	}
	if _, inner, _ := CutCircuit(outer); !IsRecord(inner) || len(outer) != CircuitHeaderSize+Overhead {
		t.Error("the record inside is none")
	}
	if SafeCircuitRecord != 1224 {
		t.Errorf("room of a new circuit: %d", SafeCircuitRecord)
	}
}

// A run ends where the id changes, whatever is behind it, and what is too short for an
// id is one by itself.
func TestRunsOfOneID(t *testing.T) {
	x, y := MakeRecordID([7]byte{1}), MakeRecordID([7]byte{2})
	rec := make([]byte, Overhead)
	PutHeader(rec, x, 1, SpaceDirect)
	ofX, ofY := AppendCircuit(nil, x, []byte{1}), AppendCircuit(nil, y, make([]byte, 100))
	for _, c := range []struct {
		name string
		all  [][]byte
		id   RecordID
		n    int
	}{
		{"one", [][]byte{ofX}, x, 1},
		{"records and circuits of one id", [][]byte{ofX, rec, ofX, ofY}, x, 3},
		{"another id", [][]byte{ofY, ofX}, y, 1},
		{"a header alone", [][]byte{ofX[:CircuitHeaderSize], ofX}, RecordID{}, 1},
		{"a header alone behind", [][]byte{ofX, ofX[:CircuitHeaderSize], ofX}, x, 1},
		{"nothing", [][]byte{nil, nil}, RecordID{}, 1},
		{"another first byte", [][]byte{append([]byte{0x41}, ofX[1:]...), ofX}, RecordID{}, 1},
		{"another first byte behind", [][]byte{ofX, append([]byte{0x41}, ofX[1:]...)}, x, 1},
	} {
		if id, n := RunOf(c.all); id != c.id || n != c.n {
			t.Errorf("%s: %x, %d", c.name, id, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { RunOf([][]byte{ofX, ofX}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

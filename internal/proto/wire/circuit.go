package wire

// A circuit datagram is a whole datagram of ours, record or QUIC, behind eight
// bytes (SPEC 6.13):
//
//	byte 0     0x40
//	bytes 1-7  label: names the circuit at the receiver, who has drawn it
//	datagram
//
// The form is a record's, and so is a label's: a record id, of the same table. Who
// receives looks it up once and learns whether it names an epoch or a circuit; no
// label is a record id in use there, and the other way round.
const (
	CircuitHeaderSize = 1 + RecordIDSize
	// MinCircuit is the least circuit datagram, bytes. What is inside is judged
	// where the circuit ends.
	MinCircuit = CircuitHeaderSize + 1
	// SafeCircuitRecord is SafeRecord inside a circuit.
	SafeCircuitRecord = SafeRecord - CircuitHeaderSize
)

// PutCircuitHeader writes the header into b[:CircuitHeaderSize]: into the room that
// a sender has left there, or over the label by which the datagram came.
func PutCircuitHeader(b []byte, label RecordID) {
	_ = b[CircuitHeaderSize-1]
	b[0] = recordByte0
	copy(b[1:], label[:])
}

// AppendCircuit appends a datagram with its header.
func AppendCircuit(b []byte, label RecordID, datagram []byte) []byte {
	return append(append(append(b, recordByte0), label[:]...), datagram...)
}

// RunOf is the record id or label of the first of some datagrams, one at least, and how
// many begin with it in a row. Whether they are what the id says is for its owner to
// see. The id of what is too short is zero, which names nothing.
func RunOf(datagrams [][]byte) (id RecordID, n int) {
	first := datagrams[0]
	if len(first) < MinCircuit || first[0] != recordByte0 {
		return id, 1
	}
	for n = 1; n < len(datagrams); n++ {
		if d := datagrams[n]; len(d) < MinCircuit || [CircuitHeaderSize]byte(d) != [CircuitHeaderSize]byte(first) {
			break
		}
	}
	return RecordID(first[1:CircuitHeaderSize]), n
}

// CutCircuit takes the header off; datagram aliases b. It reports false for what is
// no circuit datagram by form. A record is one by form too.
func CutCircuit(b []byte) (label RecordID, datagram []byte, ok bool) {
	if len(b) < MinCircuit || b[0] != recordByte0 || b[1]&recordTag == 0 {
		return RecordID{}, nil, false
	}
	return RecordID(b[1:CircuitHeaderSize]), b[CircuitHeaderSize:], true
}

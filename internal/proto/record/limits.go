package record

import (
	"math"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// limits of one key (SPEC "Limits"). Bytes are whole records: the header and
// the tag stand for the two extra blocks that GCM hashes for each record.
type limits struct {
	softBytes, hardBytes     uint64
	softRecords, hardRecords uint64
	softForged, hardForged   uint64 // failed opens
	counters                 uint64 // numbers in a space
}

func limitsOf(c wire.Cipher) limits {
	l := limits{
		softBytes: math.MaxUint64, hardBytes: math.MaxUint64,
		softRecords: 1 << 48, hardRecords: 1 << 60,
		softForged: 1 << 35, hardForged: 1 << 36,
		counters: wire.MaxCounter + 1,
	}
	if c == wire.AES256GCM {
		l.softBytes, l.hardBytes = 128<<30, 512<<30
	}
	return l
}

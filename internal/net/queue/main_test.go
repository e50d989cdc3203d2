package queue

import "github.com/libertaria-project/l2tun/internal/proto/wire"

func batchOf(recs ...[]byte) *wire.Batch {
	b := new(wire.Batch)
	for _, r := range recs {
		b.Append(r)
	}
	return b
}

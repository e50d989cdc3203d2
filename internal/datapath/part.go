package datapath

import "github.com/libertaria-project/l2tun/internal/wire"

// fit returns what is to be sealed: the packets themselves, or two part frames
// for each that is larger than room (plaintext bytes of a record).
func (p *Peer) fit(plains [][]byte, room int, out *outbound) [][]byte {
	fits := true
	for _, packet := range plains {
		fits = fits && len(packet) <= room
	}
	if fits {
		return plains
	}
	out.fitted.Reset()
	for _, packet := range plains {
		if len(packet) <= room {
			out.fitted.Append(packet)
			continue
		}
		out.fitted.AppendHalves(uint16(p.partID.Add(1))&wire.PacketPartIDs, packet)
	}
	out.plains = out.plains[:0]
	for i := range out.fitted.Len() {
		out.plains = append(out.plains, out.fitted.At(i))
	}
	return out.plains
}

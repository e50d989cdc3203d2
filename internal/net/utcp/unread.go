package utcp

// unreadPiece is the memory that bytes of a stream are kept in: no copy moves them,
// so that what a peer sends is what it costs, and half a piece.
const unreadPiece = 4 << 10

// unread are the bytes of a stream that nobody has read, in the order they came.
type unread struct {
	pieces [][]byte
	size   int
}

func (u *unread) add(b []byte) {
	u.size += len(b)
	for len(b) > 0 {
		last := len(u.pieces) - 1
		if last < 0 || len(u.pieces[last]) == cap(u.pieces[last]) {
			u.pieces = append(u.pieces, make([]byte, 0, unreadPiece))
			last++
		}
		p := u.pieces[last]
		n := min(len(b), cap(p)-len(p))
		u.pieces[last] = append(p, b[:n]...)
		b = b[n:]
	}
}

// take moves bytes from the front into b.
func (u *unread) take(b []byte) (n int) {
	for n < len(b) && u.size > 0 {
		k := copy(b[n:], u.pieces[0])
		n += k
		u.size -= k
		if u.pieces[0] = u.pieces[0][k:]; len(u.pieces[0]) == 0 {
			u.pieces = u.pieces[1:]
		}
	}
	if u.size == 0 {
		u.pieces = nil
	}
	return n
}

func (u *unread) drop() { *u = unread{} }

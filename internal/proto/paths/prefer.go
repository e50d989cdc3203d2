package paths

// A preference is the order of paths: the kind that the user prefers, then direct
// before datagram before utcp, if measured goodput says nothing else.
type preference struct {
	kind Kind // zero: the best
}

// set prefers a kind from now on.
func (r *preference) set(k Kind) { r.kind = k }

// rank is the place of a path whose kind has one; smaller is better.
func (r *preference) rank(p *path, rank int) int {
	if r.kind.Name != "" && p.Kind.Name == r.kind.Name {
		rank = -4
	}
	if p.through() {
		rank += circuitRank
	}
	if p.Kind.Conn && !p.conn.main {
		rank++ // the peer closes it soon
	}
	return rank
}

// lacks reports whether the preferred kind has no connection of its link yet.
func (r *preference) lacks(l Link, all list) bool {
	return r.kind.Name != "" && r.kind.Link == l && !all.has(l)
}

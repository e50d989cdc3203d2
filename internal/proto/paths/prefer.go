package paths

// A preference is the order of paths: the kind that the user prefers, then direct
// before datagram before utcp.
type preference struct {
	kind Kind // zero: the best
}

// set prefers a kind from now on.
func (r *preference) set(k Kind) { r.kind = k }

// rank is the place of a path; smaller is better.
func (r *preference) rank(p *path) int {
	rank := 2 * p.Kind.Rank
	if r.kind.Name != "" && p.Kind.Name == r.kind.Name {
		rank = -2
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

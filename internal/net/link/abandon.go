package link

// An Abandoner is a Conn that can end without a packet that says so: where this host
// has another address now, such a packet would be a stranger's to the NAT on the way.
type Abandoner interface {
	Conn
	Abandon(reason string)
}

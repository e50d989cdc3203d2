package relay

// places counts what a peer has.
type places struct {
	circuits int
	asks     int // meetings under way for which it has asked
	asked    int // and for which it was asked
}

func (p *places) circuit(n int) { p.circuits += n }
func (p *places) ask(n int)     { p.asks += n }
func (p *places) wanted(n int)  { p.asked += n }

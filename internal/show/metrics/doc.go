// Package metrics shows a node to Prometheus: one collector that reads the
// node's own counters and states when it is asked, and costs nothing else.
//
// Peers are labelled by their name (by their short DID without one), drops by
// reason, traffic by carrier; nothing is labelled by address, so there are as
// many series as the config has peers, times about sixty. Who may ask is decided
// by where the handler is served: the control socket, and, if the config says
// so, a loopback address.
package metrics

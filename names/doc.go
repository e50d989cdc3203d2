// Package names answers DNS for the peers of a node: NAME.l2 and NAME.NETWORK.l2, and
// the reverse zones of overlay prefixes. All else is refused: nothing is forwarded and
// nothing is looked up.
//
// A Table says who has which name; it does not change, and Answer is a pure function of
// it and of a query. A Server answers by UDP and TCP what comes from this host itself.
package names

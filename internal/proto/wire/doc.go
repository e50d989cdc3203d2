// Package wire holds the layouts, labels and sizes that both ends of a session
// must agree on. It imports the standard library only, keeps no state and never
// allocates beyond what append needs. SPEC.md describes every byte of it.
//
// Integers are little-endian unless a comment says otherwise. Parsers take
// exactly the bytes of what they parse: a longer or shorter input is refused.
package wire

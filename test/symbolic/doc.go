// Package symbolic checks the handshake of SPEC.md section 5.1 in the symbolic
// model; it has no code but tests.
//
// Both key schedules are written once, as data (model_test.go). That one
// description is used three times:
//
//   - evaluated with real keys it gives, byte for byte, the messages and keys of
//     package handshake (product_test.go), so that neither changes alone;
//   - as terms it is what an attacker in the sense of Dolev and Yao works on
//     (attacker_test.go): knowledge is saturated for every set of leaked keys,
//     with X25519 and Ed25519 broken, with ML-KEM broken, for a recorded session
//     and for impersonation. The answers are held against
//     testdata/expected.txt, which go test -v prints;
//   - joins through a hub (sections 6.11 and 6.12) are terms of their own, with the hub
//     as the attacker (join_test.go);
//   - without any one of its lines the answers differ (mutation_test.go).
//
// Limits: primitives are perfect or broken, never in between. The roles are
// bounded: one session of each honest party, and the attacker's own parts are
// chosen from a list of strategies, so an attack that needs more sessions is not
// found. Hiding of identities is whether the key of what is sealed is known, not
// an equivalence.
package symbolic

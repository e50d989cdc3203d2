// Package did is who a node is: its long-term keys, the DID that commits to
// them, the key file, and the Resolver that turns a DID into endpoints.
//
// A DID is "did:morpheus:z" and the base58 of a BLAKE3 digest over a typed key
// set: Ed25519 (signs), X25519 and ML-KEM-768 (authenticate and agree), and the
// hash of an ML-DSA-65 key (committed by hash; signs prekeys). Whoever holds
// the digest can check a key set from anywhere; changing a key changes the DID.
//
// DID and KeySet are plain values. An Identity never changes after it was made
// and is safe for concurrent use; its secrets live as long as the process and
// no String, format verb or log value shows them. The private X25519 and
// ML-KEM operations are constant-time as far as their libraries are.
//
// SPEC section "Identity" has the layouts.
package did

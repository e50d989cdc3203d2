package did

import "errors"

var (
	// ErrSyntax is in every error of Parse and UnmarshalText.
	ErrSyntax = errors.New("did: not a DID of this network")
	// ErrKeySet is in every error of ParseKeySet.
	ErrKeySet = errors.New("did: unusable key set")
	// ErrKeyFile is in every error about what a key file is or holds.
	ErrKeyFile = errors.New("did: unusable key file")
	// ErrUnknown is what a Resolver answers when it knows nothing of a DID.
	ErrUnknown = errors.New("did: unknown DID")

	errSeedSize   = errors.New("did: an identity seed has 32 bytes")
	errCiphertext = errors.New("did: an ML-KEM-768 ciphertext has 1088 bytes")
)

// Package record seals and opens the records of an epoch: a 16-byte header, the
// ciphertext and a 16-byte tag (SPEC "Records"). The header is the AEAD's
// additional data, its bytes 8-15 are the nonce.
//
// Ownership: an Epoch owns its two keys, its counters and its replay windows.
// Everything here is safe for concurrent use; no call blocks, starts a goroutine
// or reads a clock. Buffers belong to the caller and are not kept.
//
// The number space of circuits exists only in an epoch whose two ends take them:
// others refuse its records and spend no memory on its window.
//
// Limits: a window of 8192 numbers for each number space but control, 2^56
// records a space, and the key limits of SPEC "Limits". Go's AEADs keep their
// key schedule in memory of their own: Erase lets go of it and the garbage
// collector takes it, it cannot be overwritten from here.
package record

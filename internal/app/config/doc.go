// Package config reads, checks and edits a node's configuration: one TOML file
// and, beside it, the key file.
//
// Load and Parse return a Config whose every value has been checked, or an
// *Error that says where it is wrong (file, line, column in bytes, key) and
// what. Init, AddPeer and RemovePeer change files: whole or not at all, keeping
// the bytes they have no business with. A Config is never changed after Parse
// and may be shared. Nothing here starts a goroutine or watches a file.
//
// Limits: a file of 4 MiB, an MTU of 1280 to 9000 bytes, the bounds of each
// session setting in settings.go. The keys are listed in docs/node.md 8.
package config

// Package record seals and opens the records of an epoch.
package record

// An Epoch is one generation of a session's record keys.
type Epoch struct{}

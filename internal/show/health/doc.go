// Package health says what is wrong with a node in sentences that can be acted
// on: the catalogue of codes that status, top and doctor use, and what follows
// from a node's status alone. It is pure: a status in, findings out.
package health

// Package archtest holds the shape of the tree by tests: which package imports
// which, which library has which door, which packages are pure, and a few
// habits. It reads source files and runs nothing. A test that fails here asks a
// question about the design first; the tables are changed on purpose, never to
// make a test pass.
package archtest

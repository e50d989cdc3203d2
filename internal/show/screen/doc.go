// Package screen lays out what people are shown in a terminal: a node's status on
// one screen, at any width from 20 columns up, and the small parts that status
// and top share. It is pure: values in, text out; nothing is read from a terminal.
package screen

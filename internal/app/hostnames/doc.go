// Package hostnames makes the names of a node's peers known to all programs of its host:
// by systemd-resolved where that is in use, else by a block of lines in /etc/hosts
// (docs/node.md 8.9, ADR-053). It is a program beside the node and holds its control
// socket: the node has given up the rights that this takes, and what is put in is taken
// out when the node ends, however it ends.
//
// Run owns everything, in one goroutine. Before something is put in, a journal beside the
// control socket says so; UndoLeft takes out what a process has left that was killed.
//
// github.com/godbus/dbus is imported here and nowhere else.
package hostnames

// Package node drives an l2tun node on a host of the lab as its user would: by
// the program's commands, a config, a key and a control socket in one folder.
//
// The demo, the benchmarks and the end-to-end tests start their nodes with it.
// Whoever starts a node stops it, with Stop, Kill or Down, and waits for its end;
// a node also ends with the process that started it.
package node

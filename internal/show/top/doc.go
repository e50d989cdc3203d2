// Package top is a node live in a terminal: peers with their states, round trips
// and throughput, the newest changes of state, and keys to rotate and to choose a
// carrier. Model holds what is shown and changes by messages alone; Source is
// the node. The program that runs the model owns the terminal.
//
// It asks the node once a second and keeps two minutes.
package top

// Package presence tells of one session what others go by, SPEC 6.13: the board of the
// node, when the peer is a hub of it; the node's own side as a hub; and the homes of
// sleepers. It takes the frames that are for these, and asks the peer where it sees this
// node.
//
// A Told belongs to the loop of its session and is for one goroutine. Nothing that it
// calls blocks.
package presence

// Package ip reads IP packets that somebody else wrote: a peer, the kernel, a
// program. A view is the only way to a field, and whoever has a view has the
// bytes behind it: Read checks the lengths once, a header is an array, and its
// accessors index it by constants, which the compiler checks. Views alias the
// packet. Nothing here allocates.
package ip

// Command l2tun makes, runs and asks about nodes of an l2tun network.
//
// It turns flags into calls of internal/app/config, internal/app/control and the node,
// and errors into one sentence and an exit code (exitcode.go). Nothing else is
// decided here. Each command has an Options struct and takes the function that
// it runs, so that tests run the one without the other; only main exits.
//
// Messages follow one rule: a sentence that names the place and says what to
// do, on standard error, after "l2tun: ". Standard output has only what was
// asked for.
package main

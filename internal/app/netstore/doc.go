// Package netstore keeps the networks of a node on disk, a file each, so that a node that
// starts again knows no less than it has acted on (spec/network.md R-10.5-5). The files lie
// in a folder beside the config and are named by the network's id.
//
// Everything in a file is verified again when it is read, but for what is not signed: which
// documents were seen. So nobody else may write there, and nobody else may read it: who is a
// member is nobody's business. Folder and files have modes 0700 and 0600.
//
// A file is replaced in one step. It and the folder are synced before State.Saved, and with
// it before anything of the change is used. A file that cannot be used is put aside with one
// sentence, and its network begins again with its id alone.
//
// A Store has no goroutine and no lock: one process and one goroutine use it.
package netstore

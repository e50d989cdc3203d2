package link

// A Load is what the carrier of a path has done with its records, bytes since the
// path is there.
type Load struct {
	Carried int64 // handed to the network
	Late    int64 // of those, after they had to wait for it: it took less than there was
	Lost    int64 // of those, known to be lost
	Came    int64 // of records that came
}

// A Metered is a path whose carrier has a congestion control, and so a queue. The
// counters have one writer each; Load may be called from anywhere.
type Metered interface {
	Path
	Load() Load
}

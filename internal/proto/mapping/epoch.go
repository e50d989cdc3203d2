package mapping

import "time"

// An epoch is the router's clock as it was last read: seconds since its mappings
// began. Each protocol has one of its own.
type epoch struct {
	seconds uint32
	at      time.Time // when; zero: never
}

// restarted takes a reading and says whether the router has lost its mappings since
// the last. RFC 6887 8.5, whose tolerance of 1/16 and 2 s is within that of RFC 6886
// 3.6.
func (e *epoch) restarted(seconds uint32, now time.Time) bool {
	last := *e
	*e = epoch{seconds, now}
	if last.at.IsZero() {
		return false
	}
	theirs, ours := int64(seconds)-int64(last.seconds), int64(now.Sub(last.at)/time.Second)
	return theirs < -1 || ours+2 < theirs-theirs/16 || theirs+2 < ours-ours/16
}

package main

import (
	"strconv"
	"strings"
)

// A span is a part of the memory of this process.
type span struct{ from, to uint64 }

// programSpans are the parts of the program's file that are mapped and were never written,
// as the text of /proc/self/smaps has them. Its first entry is of the program.
func programSpans(smaps string) (all []span) {
	var program string
	var last span
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		if len(f) >= 5 && strings.Contains(f[0], "-") {
			last = span{}
			if program == "" && len(f) == 6 {
				program = f[5]
			}
			if len(f) != 6 || f[5] != program || (f[1] != "r-xp" && f[1] != "r--p") {
				continue
			}
			from, to, _ := strings.Cut(f[0], "-")
			a, err1 := strconv.ParseUint(from, 16, 64)
			b, err2 := strconv.ParseUint(to, 16, 64)
			if err1 == nil && err2 == nil {
				last = span{a, b}
			}
			continue
		}
		// Written, as by the dynamic linker or a debugger: these pages are not the file's.
		if len(f) == 3 && f[0] == "Anonymous:" && f[1] == "0" && last != (span{}) {
			all = append(all, last)
		}
	}
	return all
}

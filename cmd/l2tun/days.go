package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// days is a flag for a time that may be long: Go's form, or whole days ("7d").
type days time.Duration

func (d *days) String() string { return spell(time.Duration(*d)) }

// Type implements pflag.Value.
func (d *days) Type() string { return "duration" }

// Set implements pflag.Value.
func (d *days) Set(s string) error {
	if n, err := strconv.ParseUint(strings.TrimSuffix(s, "d"), 10, 16); err == nil && strings.HasSuffix(s, "d") {
		*d = days(time.Duration(n) * day)
		return nil
	}
	v, err := duration(s)
	*d = days(v)
	return err
}

// duration reads Go's form and says what is missing in another one.
func duration(s string) (time.Duration, error) {
	v, err := time.ParseDuration(s)
	if err == nil {
		return v, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write %ss, %sm or %sh", s, s, s, s)
	}
	return 0, fmt.Errorf("%q is not a duration, such as 30s, 5m or 2h", s)
}

// spell is a duration as people say it.
func spell(d time.Duration) string {
	switch {
	case d > 0 && d%day == 0:
		return count(uint64(d/day), "day")
	case d > 0 && d%time.Hour == 0:
		return count(uint64(d/time.Hour), "hour")
	case d > 0 && d%time.Minute == 0:
		return count(uint64(d/time.Minute), "minute")
	}
	return d.String()
}

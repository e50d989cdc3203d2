package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/libertaria-project/l2tun/session"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A reader turns entries into checked values; its errors have a place.
type reader struct {
	file     string
	settings map[string]*session.Descriptor // by key
	shared   *Settings                      // of the peer before
}

func newReader(file string) *reader {
	r := &reader{file: file, settings: make(map[string]*session.Descriptor)}
	all := session.Descriptors()
	for i := range all {
		r.settings[all[i].Key] = &all[i]
	}
	return r
}

// share is where s is kept: most peers have the same.
func (r *reader) share(s Settings) *Settings {
	if r.shared == nil || *r.shared != s {
		r.shared = &s
	}
	return r.shared
}

func newError(file string, at position, key, format string, args ...any) *Error {
	return &Error{File: file, Line: at.line, Col: at.col, Key: key, Msg: fmt.Sprintf(format, args...)}
}

func dotted(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// bad is an error about an entry's value.
func (r *reader) bad(table string, e entry, format string, args ...any) error {
	return newError(r.file, e.val.at, dotted(table, e.key), format, args...)
}

func (r *reader) unknown(table string, e entry) error {
	if table == "route" {
		return newError(r.file, e.at, dotted(table, e.key), "unknown key; a [[route]] has prefix only")
	}
	if table == "only" {
		return newError(r.file, e.at, dotted(table, e.key), "unknown key; an [[only]] has peer, allow and to")
	}
	known := topKeys()
	switch table {
	case "network":
		known = "id, name, contacts and accept_routes"
	case "session":
		var keys []string
		for _, d := range session.Descriptors() {
			keys = append(keys, d.Key)
		}
		known = strings.Join(keys, ", ")
	case "peer":
		known = "did, name, endpoints, allowed_ips, assigned, hub, keep, invites and those of [session]"
	}
	return newError(r.file, e.at, dotted(table, e.key), "unknown key; there are %s", known)
}

func (r *reader) str(table string, e entry) (string, error) {
	if e.val.kind != unstable.String {
		return "", r.bad(table, e, "must be a string in quotes")
	}
	return e.val.text, nil
}

func (r *reader) boolean(table string, e entry) (bool, error) {
	if e.val.kind != unstable.Bool {
		return false, r.bad(table, e, "must be true or false, without quotes")
	}
	return e.val.text == "true", nil
}

func (r *reader) integer(table string, e entry, min, max int64) (int64, error) {
	n, err := strconv.ParseInt(e.val.text, 0, 64)
	switch {
	case e.val.kind != unstable.Integer:
		return 0, r.bad(table, e, "must be a whole number without quotes")
	case err != nil || n < min || n > max:
		return 0, r.bad(table, e, "%s is out of bounds: it must be between %d and %d", e.val.text, min, max)
	}
	return n, nil
}

// parsed reads a string of the top of the file through parse.
func parsed[T any](r *reader, e entry, parse func(string) (T, error)) (v T, err error) {
	s, err := r.str("", e)
	if err != nil {
		return v, err
	}
	v, err = parse(s)
	return v, r.wrap("", e, err)
}

// An item is an element of an array of strings, read and with its place.
type item[T any] struct {
	val T
	at  position
}

// items reads an array of strings through parse; nothing may be in it twice.
func items[T comparable](r *reader, table string, e entry, parse func(string) (T, error)) ([]item[T], error) {
	if e.val.kind != unstable.Array {
		return nil, r.bad(table, e, `must be an array of strings, such as ["…"]`)
	}
	out := make([]item[T], 0, len(e.val.elems))
	seen := newIndex[T](len(e.val.elems))
	for _, elem := range e.val.elems {
		here := entry{key: e.key, val: elem}
		if elem.kind != unstable.String {
			return nil, r.bad(table, here, "each element must be a string in quotes")
		}
		v, err := parse(elem.text)
		if err != nil {
			return nil, r.bad(table, here, "%v", err)
		}
		if first, twice := seen.put(v, elem.at.line); twice {
			return nil, r.bad(table, here, "%v is there twice, first on line %d", v, first)
		}
		out = append(out, item[T]{v, elem.at})
	}
	return out, nil
}

func values[T any](in []item[T]) []T {
	out := make([]T, len(in), len(in)+1) // a peer's own address is added
	for i, x := range in {
		out[i] = x.val
	}
	return out
}

func placesOf[T any](in []item[T]) []position {
	out := make([]position, len(in), len(in)+1)
	for i, x := range in {
		out[i] = x.at
	}
	return out
}

// wrap gives an error about a value its place; nil stays nil.
func (r *reader) wrap(table string, e entry, err error) error {
	if err == nil {
		return nil
	}
	return r.bad(table, e, "%s", strings.TrimPrefix(err.Error(), "did: "))
}

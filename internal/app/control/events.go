package control

import (
	"context"
	"net/http"
	"time"
)

// An Event is one change of a session's state.
type Event struct {
	Stamp
	Time   time.Time `json:"time"` // RFC 3339, UTC
	Peer   string    `json:"peer"` // DID
	Name   string    `json:"name"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Cause  string    `json:"cause"`
	Reason string    `json:"reason"` // of failed; of a meeting, with the cause "meeting" and from equal to to, why it failed
	Epoch  uint64    `json:"epoch"`  // in use after it; 0 for none
	Link   string    `json:"link"`
	// Of a change of the path in use, with the cause "path" and from equal to to.
	Carrier     string `json:"carrier"`
	Through     string `json:"through"` // DID of the hub that forwards; "" for none
	ThroughName string `json:"through_name"`

	Missed uint64 `json:"missed"` // events before this one that a slow reader has lost
}

func eventsHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		untimed(w)
		lines := &lineWriter{w: w}
		if err := lines.begin(); err != nil { // there may be no event for long
			return
		}
		err := h.Events(r.Context(), r.URL.Query().Get("follow") == "1", func(e Event) error {
			e.Stamp = NewStamp()
			return lines.write(e)
		})
		if r.Context().Err() == nil {
			lines.end(err)
		}
	}
}

// Events passes the past events that the node keeps to f, oldest first, and with
// follow also each new one, until ctx ends, which is not an error. The error is
// f's, or says that the node stopped.
func (c *Client) Events(ctx context.Context, follow bool, f func(Event) error) error {
	path := "/v1/events"
	if follow {
		path += "?follow=1"
	}
	resp, err := c.open(ctx, http.MethodGet, path, nil)
	if err == nil {
		defer resp.Body.Close()
		err = readLines(c, resp.Body, f)
	}
	switch {
	case ctx.Err() != nil && follow:
		return nil
	case err == nil && follow:
		return c.stopped()
	}
	return err
}

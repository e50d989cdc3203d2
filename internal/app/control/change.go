package control

import (
	"context"
	"net/http"
	"time"
)

// Bounds of the time within which a change can be confirmed.
const (
	MinConfirm = time.Second
	MaxConfirm = time.Hour
)

// A Changer is the part of a Handler about changes that are undone unless they
// are confirmed.
type Changer interface {
	// ReloadUnlessUnconfirmed is Reload, undone unless Confirm comes within d.
	ReloadUnlessUnconfirmed(ctx context.Context, d time.Duration) error
	// Confirm keeps the pending change; an error if none is pending.
	Confirm(ctx context.Context) error
}

func reloadHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reload := h.Reload
		if text := r.URL.Query().Get("confirm"); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil || d < MinConfirm || d > MaxConfirm {
				fail(w, http.StatusBadRequest, &APIError{Msg: "confirm must be a duration from 1s to 1h"})
				return
			}
			reload = func(ctx context.Context) error { return h.ReloadUnlessUnconfirmed(ctx, d) }
		}
		if err := reload(r.Context()); err != nil {
			code := codeOf(err)
			if code == http.StatusInternalServerError {
				code = http.StatusUnprocessableEntity
			}
			fail(w, code, err)
			return
		}
		reply(w, http.StatusOK, struct{}{})
	}
}

func confirmHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h.Confirm(r.Context()); err != nil {
			fail(w, codeOf(err), err)
			return
		}
		reply(w, http.StatusOK, struct{}{})
	}
}

package control

import (
	"context"
	"net/http"
	"time"
)

// RotateTime is how long POST /v1/rotate waits for new epochs.
const RotateTime = 5 * time.Second

// Rotated is how a rotation went with one peer.
type Rotated struct {
	DID   string `json:"did"`
	Name  string `json:"name"`
	Epoch uint64 `json:"epoch"` // in use now, new if there is no error
	Error string `json:"error"` // why there is no new epoch; empty if there is
}

type rotation struct {
	Stamp
	Peers []Rotated `json:"peers"`
}

func rotateHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), RotateTime)
		defer cancel()
		peers, err := h.Rotate(ctx, r.URL.Query().Get("peer"))
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		reply(w, http.StatusOK, rotation{NewStamp(), append([]Rotated{}, peers...)})
	}
}

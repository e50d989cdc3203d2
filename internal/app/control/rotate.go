package control

import (
	"context"
	"net/http"
	"net/url"
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

// Rotate replaces the keys shared with a peer, given by DID or name, or with all
// peers for "". It returns one result a peer once each has a new epoch in use,
// 5 s later at most. *APIError for an unknown peer.
func (c *Client) Rotate(ctx context.Context, peer string) ([]Rotated, error) {
	var r rotation
	err := c.call(ctx, http.MethodPost, "/v1/rotate?"+query("peer", peer), &r)
	return r.Peers, err
}

// query encodes names and values; empty values are left out.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q.Encode()
}

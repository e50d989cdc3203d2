package control

import "net/http"

// Why is whether a peer may send something to this node, and why.
type Why struct {
	Stamp
	DID     string `json:"did"`
	Name    string `json:"name"`
	Traffic string `json:"traffic"` // "tcp:22"
	To      string `json:"to"`      // address
	Allowed bool   `json:"allowed"`
	By      string `json:"by"` // the line that decides, in words
}

func whyHandler(o Observer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		why, err := o.Why(r.Context(), q.Get("peer"), q.Get("traffic"), q.Get("to"))
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		why.Stamp = NewStamp()
		reply(w, http.StatusOK, why)
	}
}

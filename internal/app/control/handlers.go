package control

import (
	"encoding/json"
	"errors"
	"net/http"
)

// routes is the whole interface; a new group of calls adds its lines here and
// its functions in a file of its own.
func routes(h Handler, long *longCalls) http.Handler {
	mux := http.NewServeMux()
	short := func(pattern string, f http.HandlerFunc) { mux.Handle(pattern, http.MaxBytesHandler(f, maxBody)) }
	short("GET /v1/status", statusHandler(h))
	short("POST /v1/down", downHandler(h))
	short("POST /v1/reload", reloadHandler(h))
	short("POST /v1/confirm", confirmHandler(h))
	short("POST /v1/rotate", rotateHandler(h))
	mux.HandleFunc("POST /v1/send", long.lasting(sendHandler(h)))
	mux.HandleFunc("POST /v1/receive", long.lasting(receiveHandler(h)))
	mux.HandleFunc("GET /v1/events", long.lasting(eventsHandler(h)))
	if o, ok := h.(Observer); ok {
		observe(mux, o, long)
	}
	if n, ok := h.(Namer); ok {
		mux.HandleFunc("POST /v1/names", long.lasting(namesHandler(n)))
	}
	if n, ok := h.(Networking); ok {
		networking(mux, n)
	}
	short("/", func(w http.ResponseWriter, r *http.Request) { notThere(mux, w, r) })
	return mux
}

func statusHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := h.Status(r.Context())
		if err != nil {
			fail(w, http.StatusInternalServerError, err)
			return
		}
		full := *s
		full.Peers = append([]Peer(nil), s.Peers...) // fill must not write into what the node keeps
		full.fill()
		reply(w, http.StatusOK, &full)
	}
}

// downHandler answers before the node begins to stop, or the answer might not
// get out.
func downHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusAccepted, struct{}{})
		http.NewResponseController(w).Flush()
		h.Down()
	}
}

// notThere tells a wrong method from a wrong path, in JSON like all else.
func notThere(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			w.Header().Set("Allow", method)
			fail(w, http.StatusMethodNotAllowed, errors.New("this call needs the method "+method))
			return
		}
	}
	fail(w, http.StatusNotFound, errors.New(noCall+"; is the program newer than the node?"))
}

type errorBody struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, err error) { reply(w, code, errorBody{err.Error()}) }

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) // an error here means that the caller has gone
}

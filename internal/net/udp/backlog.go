package udp

import "sync"

// maxBacklog bounds what waits for a socket that is full, bytes.
const maxBacklog = 1 << 20

// A backlog sends datagrams in the background where a system's write may wait for
// room in the socket: nobody who hands one over waits. It serves systems without a
// sender of their own (direct_linux.go). Its goroutine runs while something waits,
// and ends with the socket, whose writes fail then.
type backlog struct {
	write func(b []byte, to *directPath) error

	mu      sync.Mutex
	waiting []waitingRecord
	bytes   int
	running bool
}

type waitingRecord struct {
	data []byte
	to   *directPath
}

// push copies a record; false: there is no room for it.
func (q *backlog) push(rec []byte, to *directPath) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(rec) > maxBacklog {
		return false
	}
	q.waiting = append(q.waiting, waitingRecord{append([]byte(nil), rec...), to})
	q.bytes += len(rec)
	if !q.running {
		q.running = true
		go q.run()
	}
	return true
}

// run writes until nothing waits. What the socket refuses is lost, as datagrams are.
func (q *backlog) run() {
	for {
		q.mu.Lock()
		all := q.waiting
		q.waiting = nil
		q.running = len(all) > 0
		q.mu.Unlock()
		if len(all) == 0 {
			return
		}
		for _, w := range all {
			_ = q.write(w.data, w.to) // it has told the path
			q.mu.Lock()
			q.bytes -= len(w.data)
			q.mu.Unlock()
		}
	}
}

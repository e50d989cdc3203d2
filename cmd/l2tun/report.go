package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"syscall"
)

// A startReport is the one line of JSON by which a detached node tells the
// command that started it how that went.
type startReport struct {
	Error string `json:"error,omitempty"`
	Code  int    `json:"code"`
}

// A reporter writes the report once, to a descriptor that the parent reads.
type reporter struct {
	f    *os.File
	once sync.Once
}

func newReport(fd int) *reporter {
	syscall.CloseOnExec(fd)
	return &reporter{f: os.NewFile(uintptr(fd), "ready")}
}

func (r *reporter) say(s startReport) {
	r.once.Do(func() {
		json.NewEncoder(r.f).Encode(s) // fails only if nobody waits any more
		r.f.Close()
	})
}

// failed reports an error of the start; after success it says nothing.
func (r *reporter) failed(err error) {
	if err != nil {
		r.say(startReport{Error: sentence(err), Code: exitCode(err)})
	}
}

func (r *reporter) Close() { r.once.Do(func() { r.f.Close() }) }

// watch makes a node report when it is ready.
func (r *reporter) watch(run nodeRunner) nodeRunner {
	return func(ctx context.Context, o nodeOptions) error {
		ready := o.Ready
		o.Ready = func() {
			ready()
			r.say(startReport{})
		}
		return run(ctx, o)
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
)

// Exit codes: what was typed or written is wrong (also a peer, a member or an
// invitation that is not there, or a name that is taken), or what was tried failed.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 64 // EX_USAGE of sysexits; 2 is how a panic of Go ends, after which a service is started again
)

// A usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// A reportedError is what a detached node said before it ended.
type reportedError struct {
	msg  string
	code int
}

func (e *reportedError) Error() string { return e.msg }

// exitCode is the one place where errors become codes.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if r, ok := errors.AsType[*reportedError](err); ok {
		return r.code
	}
	if s, ok := errors.AsType[*stateError](err); ok {
		return s.code()
	}
	if refusal, ok := errors.AsType[*control.APIError](err); ok && refusal.Mistaken() {
		return exitUsage
	}
	if isFileOrUsage(err) && !config.BySystem(err) {
		return exitUsage
	}
	return exitFailed
}

func isFileOrUsage(err error) bool {
	var (
		usage  *usageError
		file   *config.Error
		key    *config.KeyError
		exists *config.ExistsError
		taken  *invite.TakenError
		spec   *invite.SpecError
	)
	return errors.As(err, &usage) || errors.As(err, &file) || errors.As(err, &key) || errors.As(err, &exists) || errors.As(err, &taken) || errors.As(err, &spec) ||
		errors.Is(err, did.ErrKeyFile)
}

// sentence is an error as people see it: one line, without the package's name
// in front.
func sentence(err error) string {
	msg := strings.ReplaceAll(err.Error(), "\n", "; ")
	for _, pkg := range []string{"did", "session", "transport", "routing", "tun", "node", "config", "control", "invite"} {
		if rest, ok := strings.CutPrefix(msg, pkg+": "); ok {
			return rest
		}
	}
	return msg
}

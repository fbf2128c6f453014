package cluster

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Role is what a member does.
type Role string

const (
	RoleScheduler Role = "scheduler"
	RoleFetcher   Role = "fetcher"
)

func (r Role) Valid() bool { return r == RoleScheduler || r == RoleFetcher }

// ErrRefused: the cluster that was to be joined does not let this node in, and trying again will not help.
var ErrRefused = errors.New("refused by the cluster")

// Pause waits for a time, or until the context ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// OneLine folds an error that lists others, as libraries make them, into one line.
func OneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

package httpapi

import (
	"context"
	"sync"
	"time"
)

// What it costs that anybody may ask whether the service is ready: one look at a time, and one in a while.
const (
	readyAge  = time.Second     // how long the answer counts
	readyTime = 2 * time.Second // how long it may take
)

// readiness is the last answer.
type readiness struct {
	mu    sync.Mutex // held while one looks: whoever comes meanwhile waits for the answer
	asked time.Time
	err   error
}

// of returns the last answer, or what look says if that is too old.
func (r *readiness) of(ctx context.Context, look func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < readyAge {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	r.err = look(ctx)
	r.asked = time.Now()
	return r.err
}

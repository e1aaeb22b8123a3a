package tenancy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// What a school that asks for too much gets: some of its requests wait, the rest are refused.
const (
	mostWaiting = 256
	gateTime    = 2 * time.Second
)

// gate lets so many of a school's requests work at once. A nil one lets all through.
type gate struct {
	inside  chan struct{}
	waiting atomic.Int32
}

func newGate(most int) *gate {
	if most <= 0 {
		return nil
	}
	return &gate{inside: make(chan struct{}, most)}
}

// Enter returns once a request of the school may go to work; Leave must follow. It is RateLimited if
// the school is at its limit and no request of it ends for a while, or too many wait already.
func (t *Tenant) Enter(ctx context.Context) error {
	g := t.gate
	if g == nil {
		return nil
	}
	select {
	case g.inside <- struct{}{}:
		return nil
	default:
	}
	limited := &fault.Error{Kind: fault.RateLimited, Message: "This school has too many requests at work.", RetryAfter: gateTime}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > mostWaiting {
		return limited
	}
	timer := time.NewTimer(gateTime)
	defer timer.Stop()
	select {
	case g.inside <- struct{}{}:
		return nil
	case <-timer.C:
		return limited
	case <-ctx.Done():
		return limited.Because(ctx.Err())
	}
}

// Leave ends what Enter began.
func (t *Tenant) Leave() {
	if t.gate != nil {
		<-t.gate.inside
	}
}

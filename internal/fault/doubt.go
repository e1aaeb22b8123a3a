package fault

import (
	"context"
	"sync/atomic"
)

type doubtKey struct{}

// WithDoubt returns a context for work of which it must be known whether a failure leaves open what was done,
// and where Doubt notes that.
func WithDoubt(ctx context.Context) (context.Context, *atomic.Bool) {
	doubt := new(atomic.Bool)
	return context.WithValue(ctx, doubtKey{}, doubt), doubt
}

// Doubt notes, where somebody asked for it, that nobody knows whether what was begun with ctx has been done.
func Doubt(ctx context.Context) {
	if doubt, ok := ctx.Value(doubtKey{}).(*atomic.Bool); ok {
		doubt.Store(true)
	}
}

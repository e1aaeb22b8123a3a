// Package ratelimit bounds how many requests a second one principal may send to this process, and one
// address that no principal is behind. It counts in memory: each replica for itself.
package ratelimit

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// mostBuckets bounds the memory. Whoever is forgotten to make room starts anew with a full bucket.
const mostBuckets = 50_000

// Limits are those of one process.
type Limits struct {
	principals *buckets[principal]
	strangers  *buckets[netip.Prefix]
}

// principal is somebody of one school, or of the platform: uuid.Nil.
type principal struct {
	school uuid.UUID
	name   string
}

// New returns limits in requests a second; 0 is none. Twice as many may come at once.
func New(perPrincipal, perAddress int) *Limits {
	return &Limits{newBuckets[principal](perPrincipal), newBuckets[netip.Prefix](perAddress)}
}

type visitorKey struct{}

type visitor struct {
	limits  *Limits
	address netip.Addr
	counted bool
}

// In returns the context of a request from address, for Principal and Stranger. A nil l limits nothing.
func (l *Limits) In(ctx context.Context, address netip.Addr) context.Context {
	if l == nil {
		return ctx
	}
	return context.WithValue(ctx, visitorKey{}, &visitor{limits: l, address: address})
}

// Principal counts a request of somebody known.
func Principal(ctx context.Context, school uuid.UUID, name string) error {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	if v == nil || v.limits.principals.allow(principal{school, name}) {
		return nil
	}
	return limited("You send too many requests.")
}

// Stranger counts a request of nobody known against its address, once.
func Stranger(ctx context.Context) error {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	if v == nil || v.counted {
		return nil
	}
	v.counted = true
	// Behind the machine's own address is its operator, or a proxy that nobody has named, and so everybody.
	if !v.address.IsValid() || v.address.IsLoopback() || v.limits.strangers.allow(network(v.address)) {
		return nil
	}
	return limited("Too many requests without a valid credential come from your address.")
}

// Refused returns what to answer to a credential that does not count.
func Refused(ctx context.Context, err error) error {
	if !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	if tooMany := Stranger(ctx); tooMany != nil {
		return tooMany
	}
	return err
}

// network is what one customer has: an IPv4 address, or 64 bits of IPv6.
func network(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // of an address that is valid
	return prefix
}

// limited has the wait that is enough for one more request at any limit.
func limited(message string) error {
	return &fault.Error{Kind: fault.RateLimited, Message: message, RetryAfter: time.Second}
}

// buckets are those of many keys; nil lets all through.
type buckets[K comparable] struct {
	perSecond int
	known     *otter.Cache[K, *rate.Limiter]
}

func newBuckets[K comparable](perSecond int) *buckets[K] {
	if perSecond <= 0 {
		return nil
	}
	return &buckets[K]{perSecond, otter.Must(&otter.Options[K, *rate.Limiter]{MaximumSize: mostBuckets})}
}

func (b *buckets[K]) allow(key K) bool {
	if b == nil {
		return true
	}
	bucket, ok := b.known.GetIfPresent(key)
	if !ok {
		bucket, _ = b.known.SetIfAbsent(key, rate.NewLimiter(rate.Limit(b.perSecond), 2*b.perSecond))
	}
	return bucket.Allow()
}

package ratelimit_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
)

// passed counts how many of a hundred requests at once pass.
func passed(send func() error) (n int) {
	for range 100 {
		if send() == nil {
			n++
		}
	}
	return n
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	limits, school := ratelimit.New(1, 1), uuid.New()
	for _, c := range []struct {
		school uuid.UUID
		name   string
		passed int
	}{
		{school, "user:1", 2},
		{school, "user:1", 0},
		{school, "user:2", 2},
		{uuid.New(), "user:1", 2},
		{uuid.Nil, "user:1", 2},
	} {
		if n := passed(func() error {
			return ratelimit.Principal(limits.In(t.Context(), netip.MustParseAddr("203.0.113.9")), c.school, c.name)
		}); n != c.passed && n != c.passed+1 { // the test may take a second
			t.Errorf("%s of %s: %d", c.name, c.school, n)
		}
	}
}

func TestStranger(t *testing.T) {
	t.Parallel()
	limits := ratelimit.New(0, 1)
	for _, c := range []struct {
		address string
		passed  int
	}{
		{"203.0.113.9", 2},
		{"203.0.113.9", 0},
		{"203.0.113.10", 2},
		{"2001:db8:0:1::1", 2},
		{"2001:db8:0:1:ffff::2", 0}, // the same customer's
		{"2001:db8:0:2::1", 2},
		{"127.0.0.1", 100},
		{"::1", 100},
	} {
		in := func() context.Context { return limits.In(t.Context(), netip.MustParseAddr(c.address)) }
		if n := passed(func() error { return ratelimit.Stranger(in()) }); n != c.passed && n != c.passed+1 {
			t.Errorf("%s: %d", c.address, n)
		}
		if n := passed(func() error { return ratelimit.Principal(in(), uuid.Nil, "x") }); n != 100 {
			t.Errorf("%s: a principal without a limit: %d", c.address, n)
		}
	}
	once := limits.In(t.Context(), netip.MustParseAddr("203.0.113.11"))
	if n := passed(func() error { return ratelimit.Stranger(once) }); n != 100 {
		t.Errorf("one request counts %d times", 100-n)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	limits := ratelimit.New(0, 1)
	in := func() context.Context { return limits.In(t.Context(), netip.MustParseAddr("203.0.113.9")) }
	unknown, down := fault.New(fault.Unauthenticated, "Who are you?"), fault.New(fault.DatabaseUnavailable, "Down.")
	for range 10 {
		if err := ratelimit.Refused(in(), down); !fault.Is(err, fault.DatabaseUnavailable) {
			t.Error(err)
		}
	}
	if err := ratelimit.Refused(in(), unknown); !fault.Is(err, fault.Unauthenticated) {
		t.Error(err)
	}
	n := 0
	for range 10 {
		if err := ratelimit.Refused(in(), unknown); fault.Is(err, fault.RateLimited) && fault.Of(err).RetryAfter > 0 {
			n++
		}
	}
	if n < 8 {
		t.Errorf("%d of 10 were limited", n)
	}
}

func TestNoLimits(t *testing.T) {
	t.Parallel()
	var none *ratelimit.Limits
	ctx := none.In(t.Context(), netip.MustParseAddr("203.0.113.9"))
	if n := passed(func() error { return ratelimit.Stranger(ctx) }) + passed(func() error { return ratelimit.Principal(ctx, uuid.Nil, "x") }); n != 200 {
		t.Error(n)
	}
}

func BenchmarkPrincipal(b *testing.B) {
	limits, school := ratelimit.New(1_000_000_000, 1), uuid.New()
	ctx := limits.In(b.Context(), netip.MustParseAddr("203.0.113.9"))
	b.ReportAllocs()
	for b.Loop() {
		if err := ratelimit.Principal(ctx, school, "user:019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStranger(b *testing.B) {
	limits, address := ratelimit.New(1, 1_000_000_000), netip.MustParseAddr("203.0.113.9")
	b.ReportAllocs()
	for b.Loop() {
		if err := ratelimit.Stranger(limits.In(b.Context(), address)); err != nil {
			b.Fatal(err)
		}
	}
}

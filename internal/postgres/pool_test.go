package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A connection that does not come is the database's failure, not a request that hangs.
func TestAcquireGivesUp(t *testing.T) {
	t.Parallel()
	opened, err := postgres.Open(testkit.EmptyDatabase(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	pool := postgres.Pool{Pool: opened, Wait: 50 * time.Millisecond}
	ctx := t.Context()
	taken, err := postgres.Pool{Pool: opened}.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = pool.Acquire(ctx)
	if f := fault.Of(err); f.Kind != fault.DatabaseUnavailable || f.RetryAfter == 0 || time.Since(start) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	gone, leave := context.WithCancel(ctx)
	leave()
	if _, err := pool.Acquire(gone); err == nil || fault.Is(err, fault.DatabaseUnavailable) {
		t.Errorf("whoever went away is told %v", err)
	}
	taken.Release()
	again, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

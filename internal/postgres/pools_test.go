package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func ping(tb testing.TB, d *postgres.Database) {
	tb.Helper()
	must(tb, d.With(tb.Context(), func(conn *pgx.Conn) error { return conn.Ping(tb.Context()) }))
}

// A pool that nobody has used between two looks is closed, one in use never; what Database returned
// works on.
func TestUnusedPoolsAreClosed(t *testing.T) {
	t.Parallel()
	pools := testkit.Pools(t, testkit.EmptyDatabase(t))
	d := pools.Database(postgres.Primary)
	for range 3 {
		ping(t, d)
		pools.CloseUnused()
		if !d.IsOpen() {
			t.Fatal("closed though it was used")
		}
		pools.CloseUnused()
		if d.IsOpen() {
			t.Fatal("open though it is not used")
		}
	}
	must(t, d.With(t.Context(), func(conn *pgx.Conn) error {
		for range 3 {
			pools.CloseUnused()
		}
		if !d.IsOpen() {
			return errors.New("closed in the middle of its use")
		}
		return conn.Ping(t.Context())
	}))
	var all errgroup.Group
	for range 8 { // closing and using race
		all.Go(func() error {
			for range 50 {
				if err := d.With(t.Context(), func(conn *pgx.Conn) error { return conn.Ping(t.Context()) }); err != nil {
					return err
				}
				pools.CloseUnused()
				pools.Forget(postgres.Primary)
			}
			return nil
		})
	}
	must(t, all.Wait())
}

// Who gets no connection in time is told that the database is not available, and when to come again.
func TestBusyPool(t *testing.T) {
	t.Parallel()
	pools, err := postgres.NewPools(testkit.EmptyDatabase(t), 2)
	must(t, err)
	t.Cleanup(pools.Close)
	d := pools.Database(postgres.Primary)
	must(t, d.With(t.Context(), func(*pgx.Conn) error {
		return d.With(t.Context(), func(*pgx.Conn) error {
			start := time.Now()
			err := d.With(t.Context(), func(*pgx.Conn) error { return nil })
			if took := time.Since(start); !fault.Is(err, fault.DatabaseUnavailable) || fault.Of(err).RetryAfter == 0 || took < 4*time.Second || took > 7*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			return nil
		})
	}))
	ping(t, d)
}

// Locks of a session end with their use.
func TestLocksAreLetGo(t *testing.T) {
	t.Parallel()
	d := testkit.Pools(t, testkit.EmptyDatabase(t)).Database(postgres.Primary)
	must(t, d.With(t.Context(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock(1)")
		return err
	}))
	must(t, d.With(t.Context(), func(conn *pgx.Conn) error {
		var locks int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()").Scan(&locks)
		if locks != 0 {
			t.Errorf("%d locks", locks)
		}
		return err
	}))
}

// BenchmarkAcquire compares taking a connection from the pools with taking one from a pool of pgx.
func BenchmarkAcquire(b *testing.B) {
	url := testkit.EmptyDatabase(b)
	pool, err := pgxpool.New(b.Context(), url)
	must(b, err)
	b.Cleanup(pool.Close)
	d := testkit.Pools(b, url).Database(postgres.Primary)
	b.Run("pgxpool", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			conn, err := pool.Acquire(b.Context())
			must(b, err)
			conn.Release()
		}
	})
	b.Run("pools", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			conn, err := d.Acquire(b.Context())
			must(b, err)
			conn.Release()
			d.Released()
		}
	})
}

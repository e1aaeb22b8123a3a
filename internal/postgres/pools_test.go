package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Work under a search_path meets a connection that knows it each time, without waiting for it for long; when
// that is busy, a second one; and all are used when there is work for all. A few schools keep to one
// connection while it is free, many are spread.
func TestWorkHasAHome(t *testing.T) {
	t.Parallel()
	const most = 8
	pools, err := postgres.NewPools(testkit.EmptyDatabase(t), most)
	must(t, err)
	t.Cleanup(pools.Close)
	d := pools.Database(postgres.Primary)
	take := func(path string) *pgxpool.Conn {
		conn, err := d.Acquire(t.Context(), path)
		must(t, err)
		return conn
	}
	pid := func(conn *pgxpool.Conn) uint32 { return conn.Conn().PgConn().PID() }
	homes := map[string]uint32{}
	for _, schools := range []int{40, 600} {
		all := map[uint32]bool{}
		for range 3 {
			for i := range schools {
				path := fmt.Sprint("school_", i)
				conn := take(path)
				if homes[path] == 0 {
					homes[path] = pid(conn)
				} else if homes[path] != pid(conn) {
					t.Errorf("%s was on %d, and now on %d", path, homes[path], pid(conn))
				}
				all[pid(conn)] = true
				d.Release(conn)
			}
		}
		if few := schools < 100; few && len(all) > 1 || !few && len(all) < most/2 {
			t.Errorf("%d schools share %d of %d connections", schools, len(all), most)
		}
	}
	held := map[uint32]bool{}
	for range most {
		conn := take("school_0")
		held[pid(conn)] = true
		defer d.Release(conn)
	}
	if len(held) != most {
		t.Errorf("%d connections at once, not %d", len(held), most)
	}
}

// Where connections are short, a database makes do with those that it has: one school's work does not
// close another's connection to open its own.
func TestHomesAreShared(t *testing.T) {
	t.Parallel()
	pools, err := postgres.NewPools(testkit.EmptyDatabase(t), 4)
	must(t, err)
	t.Cleanup(pools.Close)
	other := testkit.EmptyDatabase(t)
	pools.Others(func(context.Context, string) (string, error) { return other, nil })
	var all [4]*pgxpool.Conn // that there may be go to primary
	for i := range all {
		conn, err := pools.Database(postgres.Primary).Acquire(t.Context(), fmt.Sprint(i))
		must(t, err)
		all[i] = conn
	}
	for _, conn := range all {
		pools.Database(postgres.Primary).Release(conn)
	}
	met := map[uint32]bool{}
	for i := range 40 {
		conn, err := pools.Database("second").Acquire(t.Context(), fmt.Sprint(i))
		must(t, err)
		met[conn.Conn().PgConn().PID()] = true
		pools.Database("second").Release(conn)
	}
	if len(met) != 1 {
		t.Errorf("%d connections were opened where one was free", len(met))
	}
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
			conn, err := d.Acquire(b.Context(), "school")
			must(b, err)
			d.Release(conn)
		}
	})
}

// A database that is forgotten while it is looked up is looked up again.
func TestForgottenMeanwhile(t *testing.T) {
	t.Parallel()
	pools := testkit.Pools(t, testkit.EmptyDatabase(t))
	before, after := testkit.EmptyDatabase(t), testkit.EmptyDatabase(t)
	asked := 0
	pools.Others(func(context.Context, string) (string, error) {
		if asked++; asked > 1 {
			return after, nil
		}
		pools.Forget("second")
		return before, nil
	})
	must(t, pools.Database("second").With(t.Context(), func(conn *pgx.Conn) error {
		var name string
		err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name)
		if !strings.Contains(after, name) {
			t.Errorf("it leads to %s", name)
		}
		return err
	}))
}

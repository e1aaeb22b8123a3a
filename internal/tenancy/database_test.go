package tenancy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// migrate brings the public schema of a new database of a server up.
func migrate(t *testing.T, server *embedded.Server, name string) string {
	t.Helper()
	testkit.On(t, server.URL("postgres"), "CREATE DATABASE "+name)
	conn, err := pgx.Connect(t.Context(), server.URL(name))
	must(t, err)
	_, err = testkit.Public(t).Apply(t.Context(), conn, "public")
	must(t, err)
	must(t, conn.Close(t.Context()))
	return server.URL(name)
}

// register registers a database and makes a school in it, unless it is nowhere.
func register(t *testing.T, registry *tenancy.Registry, name, url string, made bool) {
	t.Helper()
	registry.Public().Database.Create().SetName(name).SetURL(url).ExecX(t.Context())
	if made {
		testkit.On(t, url, testkit.Tenant(t).CreateScript("school_a"))
	}
}

func students(t *testing.T, registry *tenancy.Registry, database string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := registry.Schema(database, "school_a").Student.Query().Count(ctx)
	return err
}

// Whichever server stops, only its own schools fail, soon and with a time to try again; once it is
// back, so are they.
func TestServersStop(t *testing.T) {
	t.Parallel()
	first, startFirst := testkit.SecondServer(t)
	second, startSecond := testkit.SecondServer(t)
	url := migrate(t, first, "home")
	testkit.On(t, second.URL("postgres"), "CREATE DATABASE north")
	registry := tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	register(t, registry, "north", second.URL("north"), true)
	testkit.On(t, url, testkit.Tenant(t).CreateScript("school_a"))
	expect := func(when, database string, up bool) {
		t.Helper()
		start := time.Now()
		err := students(t, registry, database)
		switch {
		case up && err != nil:
			t.Errorf("%s, %s: %v", when, database, err)
		case !up && (!fault.Is(err, fault.DatabaseUnavailable) || fault.Of(err).RetryAfter == 0 || time.Since(start) > 6*time.Second):
			t.Errorf("%s, %s: %v after %v", when, database, err, time.Since(start))
		}
	}
	expect("at first", "primary", true)
	expect("at first", "north", true)
	expect("at first", "south", false) // nobody has registered it

	must(t, first.Close())
	for range 3 {
		expect("primary stopped", "primary", false)
		expect("primary stopped", "north", true)
	}
	registry.Forget("north") // as if idle: where it is, is remembered
	expect("primary stopped, north opened anew", "north", true)
	startFirst()
	time.Sleep(1100 * time.Millisecond) // a database that failed is left alone for a second
	expect("primary is back", "primary", true)

	must(t, second.Close())
	for range 3 {
		expect("second stopped", "north", false)
		expect("second stopped", "primary", true)
	}
	startSecond()
	time.Sleep(1100 * time.Millisecond)
	expect("second is back", "north", true)
}

// A server that takes connections and never answers must not hold up the schools of others.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	url := testkit.Database(t)
	pools, err := postgres.NewPools(url, 4)
	must(t, err)
	t.Cleanup(pools.Close)
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	register(t, registry, "silent", "postgres://u@"+silent.Addr().String()+"/d?sslmode=disable", false)
	testkit.On(t, url, testkit.Tenant(t).CreateScript("school_a"))
	var all errgroup.Group
	for range 16 {
		all.Go(func() error {
			start := time.Now()
			if err := students(t, registry, "silent"); !fault.Is(err, fault.DatabaseUnavailable) || time.Since(start) > 11*time.Second {
				return fmt.Errorf("silent: %w after %v", err, time.Since(start))
			}
			return nil
		})
	}
	slowest := time.Duration(0)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		start := time.Now()
		must(t, students(t, registry, "primary"))
		slowest = max(slowest, time.Since(start))
	}
	must(t, all.Wait())
	if slowest > time.Second {
		t.Errorf("primary took %v", slowest)
	}
	t.Logf("primary took %v at most", slowest)
}

// Over several databases on two servers, all under load, no more connections are open than there may
// be, and every statement gets its turn.
func TestMostConnections(t *testing.T) {
	t.Parallel()
	const most, workers = 6, 24
	url := testkit.Database(t)
	second, _ := testkit.SecondServer(t)
	pools, err := postgres.NewPools(url, most)
	must(t, err)
	t.Cleanup(pools.Close)
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	testkit.On(t, url, testkit.Tenant(t).CreateScript("school_a"))
	names := []string{"primary"}
	for i := range 4 {
		name := fmt.Sprintf("north%d", i)
		testkit.On(t, second.URL("postgres"), "CREATE DATABASE "+name)
		register(t, registry, name, second.URL(name), true)
		names = append(names, name)
	}
	ctx, stop := context.WithCancel(t.Context())
	var done atomic.Int64
	var all errgroup.Group
	for range workers {
		all.Go(func() error {
			for ctx.Err() == nil {
				// Mostly the first, as it would be; the others make room for one another.
				name := names[max(0, rand.IntN(2*len(names))-len(names))]
				if err := students(t, registry, name); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				done.Add(1)
			}
			return nil
		})
	}
	seen, samples := 0, 0
	all.Go(func() error {
		defer stop()
		for start := time.Now(); samples < 20 || time.Since(start) < 3*time.Second; {
			// Two servers can't be asked at once: what the first had before and after, it had meanwhile.
			before := open(t, url, `datname = current_database()`)
			n := len(open(t, second.URL("postgres"), `datname LIKE 'north%'`))
			for _, connection := range open(t, url, `datname = current_database()`) {
				if slices.Contains(before, connection) {
					n++
				}
			}
			seen, samples = max(seen, n), samples+1
		}
		return nil
	})
	must(t, all.Wait())
	if seen > most || seen < most/2 {
		t.Errorf("%d connections were open at once, seen in %d samples", seen, samples)
	}
	t.Logf("%d statements; at most %d of %d connections in %d samples", done.Load(), seen, most, samples)
}

// open returns a server's connections that are ours.
func open(t *testing.T, url, where string) []string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	must(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), `SELECT concat(pid, backend_start) FROM pg_stat_activity WHERE application_name = 'homeroom' AND `+where)
	must(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return found
}

// Where a database is, and its password, is looked up when it is connected to anew; and neither the
// table nor an error tells the password.
func TestRegistrationChanges(t *testing.T) {
	t.Setenv("HOMEROOM_DB_PASSWORD_NORTH", "hunter2")
	second, _ := testkit.SecondServer(t)
	for _, name := range []string{"north", "south"} {
		testkit.On(t, second.URL("postgres"), "CREATE DATABASE "+name)
	}
	registry := testkit.Registry(t)
	register(t, registry, "north", second.URL("north"), true)
	must(t, students(t, registry, "north"))
	row := registry.Public().Database.Query().OnlyX(t.Context())
	row.Update().SetURL(second.URL("south")).SetPasswordRef("env:HOMEROOM_DB_PASSWORD_NORTH").ExecX(t.Context())
	must(t, students(t, registry, "north"))
	registry.Forget("north")
	if err := students(t, registry, "north"); err == nil || !strings.Contains(err.Error(), "42P01") && !strings.Contains(err.Error(), "3F000") {
		t.Errorf("south has no school: %v", err)
	}
	row.Update().SetURL("postgres://postgres@127.0.0.1:1/south").ExecX(t.Context())
	registry.Forget("north")
	if err := students(t, registry, "north"); !fault.Is(err, fault.DatabaseUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody listens: %v", err)
	}
	for _, wrong := range []string{"postgres://u:hunter2@h/d", "postgres://:x@h/d", "postgres://h/d?password=x", "mysql://h/d"} {
		if err := registry.Public().Database.Create().SetName("w").SetURL(wrong).Exec(t.Context()); err == nil {
			t.Errorf("%s was stored", wrong)
		}
	}
}

// Where a database is changes for every process at once, also when somebody changes it with psql.
func TestRegistrationChangesAreHeard(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	north, south := testkit.EmptyDatabase(t), testkit.EmptyDatabase(t)
	register(t, all[0].Registry, "north", north, true)
	testkit.On(t, south, testkit.Tenant(t).CreateScript("school_a"))
	testkit.On(t, south, "INSERT INTO school_a.students (id, admission_number, first_name, last_name, created_at, updated_at) VALUES (gen_random_uuid(), '1', 'Amina', 'Okafor', now(), now())")
	for _, r := range all {
		must(t, students(t, r.Registry, "north"))
	}
	run(t, conn, "UPDATE public.databases SET url = '"+south+"'")
	for _, r := range all {
		eventually(t, "the students of south", func() bool {
			n, err := r.Schema("north", "school_a").Student.Query().Count(t.Context())
			must(t, err)
			return n == 1
		})
	}
}

// Where a database went while nobody listened is found out once somebody does.
func TestUnheardRegistration(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	north, south := testkit.EmptyDatabase(t), testkit.EmptyDatabase(t)
	register(t, r.Registry, "north", north, true)
	must(t, students(t, r.Registry, "north"))
	r.pool.gone.Store(true)
	run(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom listener'")
	eventually(t, "it does not trust", func() bool { return !r.Trusts() })
	run(t, conn, "UPDATE public.databases SET url = '"+south+"'")
	r.pool.gone.Store(false)
	eventually(t, "it trusts again", r.Trusts)
	must(t, r.OnConn(t.Context(), "north", func(conn *pgx.Conn) error {
		var name string
		err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name)
		if !strings.Contains(south, name) {
			t.Errorf("it goes on with %s", name)
		}
		return err
	}))
}

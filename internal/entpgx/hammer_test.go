package entpgx_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

var (
	hammerFor     = flag.Duration("duration", 2*time.Second, "how long the hammer falls; from 30s on, the server is restarted too")
	hammerHands   = flag.Int("goroutines", 32, "how many work at once")
	hammerPool    = flag.Int("pool", 8, "how many connections they share")
	hammerSchools = flag.Int("schools", 40, "how many schools they work in")
)

// rowsEach is how many rows a school keeps; every one of them names it.
const rowsEach = 60

// hammer is many goroutines that work in many schools over few connections, while everything goes wrong
// that can. Whatever row one of them sees must name the school that it works in.
type hammer struct {
	db      *entpgx.DB
	pool    *pgxpool.Pool
	admin   *pgxpool.Pool
	schools []string
	clients []*tenantdb.Client

	ops, faults, leaks, unexpected atomic.Int64
	mu                             sync.Mutex
	seen                           map[string]int // leaks and unexpected errors, the same ones counted
}

// long says that the hammer falls long enough for restarts.
func long() bool { return *hammerFor >= 30*time.Second }

// ground returns a database with the first school: on a server of the hammer's own if that is to be
// killed or to be another than the tests' (HOMEROOM_POSTGRES_BIN).
func ground(tb testing.TB) string {
	tb.Helper()
	programs := os.Getenv("HOMEROOM_POSTGRES_BIN")
	if !long() && programs == "" {
		return database(tb, "school_0")
	}
	dir, err := os.MkdirTemp("/tmp", "entpgx-")
	must(tb, err)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	s, err := embedded.Start(context.Background(), embedded.Options{Dir: dir, Bin: programs, Volatile: true})
	must(tb, err)
	tb.Cleanup(func() { must(tb, s.Close()) })
	script(tb, s.URL("postgres"), testkit.Tenant(tb).CreateScript("school_0"))
	return s.URL("postgres")
}

// newHammer fills the schools of a database. through is the address by which the work goes, url that
// of the server itself.
func newHammer(tb testing.TB, url, through, defaultPath string, options entpgx.Options) *hammer {
	tb.Helper()
	h := &hammer{seen: map[string]int{}}
	var err error
	h.admin, err = pgxpool.New(context.Background(), url)
	must(tb, err)
	tb.Cleanup(h.admin.Close)
	var script strings.Builder
	script.WriteString(apart)
	for i := range *hammerSchools {
		name := fmt.Sprintf("school_%d", i)
		h.schools = append(h.schools, name)
		if i > 0 {
			fmt.Fprintf(&script, "CREATE SCHEMA %s; CREATE TABLE %s.students (LIKE school_0.students INCLUDING ALL);", name, name)
		}
		fmt.Fprintf(&script, `INSERT INTO %s.students (id, created_at, updated_at, admission_number, first_name, last_name, status)
			SELECT gen_random_uuid(), now(), now(), n, '%s', n, 'active' FROM generate_series(1, %d) n;`, name, name, rowsEach)
	}
	_, err = h.admin.Exec(context.Background(), script.String())
	must(tb, err)
	config, err := pgxpool.ParseConfig(through)
	must(tb, err)
	config.MaxConns = int32(*hammerPool)
	if through == url { // a pooler takes no parameters, and the server's own default is as empty
		config.ConnConfig.RuntimeParams["search_path"] = defaultPath
	}
	h.pool, err = pgxpool.NewWithConfig(context.Background(), config)
	must(tb, err)
	h.db = entpgx.New(plain{h.pool}, options)
	for _, name := range h.schools {
		h.clients = append(h.clients, client(h.db.Driver(scope(name))))
	}
	return h
}

// apart is what entpgx.Apart calls.
const apart = `CREATE FUNCTION public.apart(path text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_catalog.pg_sleep(0.003);
		RETURN pg_catalog.set_config('search_path', path, false);
	EXCEPTION WHEN query_canceled THEN RETURN NULL;
	END $$;`

// fall lets the hammer fall for a while and takes care that nothing is left behind.
func (h *hammer) fall(tb testing.TB, during time.Duration) {
	tb.Helper()
	ctx, stop := context.WithTimeout(context.Background(), during)
	defer stop()
	var hands sync.WaitGroup
	for hand := range *hammerHands {
		random := rand.New(rand.NewPCG(uint64(hand), uint64(time.Now().UnixNano())))
		hands.Go(func() {
			for ctx.Err() == nil {
				h.work(random)
				h.ops.Add(1)
			}
		})
	}
	if long() {
		hands.Go(func() { h.restart(ctx, tb) })
	}
	hands.Wait()
	for wait := time.Now(); h.pool.Stat().AcquiredConns() > 0; time.Sleep(time.Millisecond) {
		if time.Since(wait) > 10*time.Second {
			tb.Errorf("%d connections never came back", h.pool.Stat().AcquiredConns())
			break
		}
	}
	h.pool.Close()
	must(tb, h.db.Close())
	h.admin.Close()
	tb.Logf("%d operations, %d faults in %v: %d leaks, %d unexpected errors", h.ops.Load(), h.faults.Load(), during, h.leaks.Load(), h.unexpected.Load())
	for what, times := range h.seen {
		tb.Logf("%d times: %s", times, what)
	}
}

// restart kills a server process now and then, upon which PostgreSQL starts itself anew.
func (h *hammer) restart(ctx context.Context, tb testing.TB) {
	tb.Helper()
	for every := time.NewTicker(15 * time.Second); ; {
		select {
		case <-ctx.Done():
			every.Stop()
			return
		case <-every.C:
			var pid int
			err := h.admin.QueryRow(context.Background(), "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT 1").Scan(&pid)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if h.faults.Add(1); err != nil {
				tb.Logf("no restart: %v", err)
			}
		}
	}
}

// check notes a row that names another school.
func (h *hammer) check(at int, how string, named ...string) {
	if slices.ContainsFunc(named, func(name string) bool { return name != h.schools[at] }) {
		h.leaks.Add(1)
		h.note("LEAK: " + how)
	}
}

func (h *hammer) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[what]++
}

// fails notes an error that none of the faults explains.
func (h *hammer) fails(how string, err error) {
	if err == nil || expected(err) {
		return
	}
	h.unexpected.Add(1)
	h.note(how + ": " + err.Error())
}

// expected reports whether an error comes of a fault that the hammer makes.
func expected(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// query_canceled, admin_shutdown, crash_shutdown, cannot_connect_now, lock_not_available,
		// deadlock_detected, unique_violation, division_by_zero
		known := []string{"57014", "57P01", "57P02", "57P03", "55P03", "40P01", "23505", "22012"}
		pooler := pg.Code == "08P01" && (strings.Contains(pg.Message, "server conn") || strings.Contains(pg.Message, "server_login") || strings.Contains(pg.Message, "server closed"))
		return slices.Contains(known, pg.Code) || pooler
	}
	var connect *pgconn.ConnectError
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errOwn) || errors.As(err, &connect) || pgconn.SafeToRetry(err) || lost(err)
}

// lost reports whether the connection broke under a statement.
func lost(err error) bool {
	for _, text := range []string{"conn closed", "unexpected EOF", "broken pipe", "connection reset", "closed network connection", "the rows are closed"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// TestHammer is the hammer on a server of its own when it falls long, else on the tests' server.
func TestHammer(t *testing.T) {
	t.Parallel()
	url := ground(t)
	h := newHammer(t, url, url, "", entpgx.Options{MaxScopes: 25})
	h.fall(t, *hammerFor)
	h.mustHold(t)
}

func (h *hammer) mustHold(tb testing.TB) {
	tb.Helper()
	if h.leaks.Load() > 0 || h.unexpected.Load() > 0 || h.ops.Load() < int64(*hammerHands) || h.faults.Load() == 0 {
		tb.Error("the hammer found something")
	}
}

// TestHammerNotices holds that the hammer would notice a DB that sets its scopes in another way.
func TestHammerNotices(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]struct{ how, defaultPath string }{
		"the scope left out":                     {entpgx.LeftOut, "school_0"},
		"the scope on the session":               {entpgx.ForTheSession, ""},
		"a Sync between the scope and statement": {entpgx.Apart, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t, "school_0")
			h := newHammer(t, url, url, broken.defaultPath, entpgx.Options{})
			entpgx.Break(h.db, broken.how)
			if h.fall(t, time.Second); h.leaks.Load() == 0 {
				t.Error("the hammer noticed nothing")
			}
		})
	}
}

// TestMain looks for goroutines that are left behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

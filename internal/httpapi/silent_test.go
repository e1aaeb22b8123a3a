package httpapi_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// relay stands before a PostgreSQL on a port of its own until it falls silent: then it takes connections,
// keeps those that it has, and passes nothing on.
type relay struct {
	net.Listener
	network, address string // of the PostgreSQL
	silent           chan struct{}
	lose             atomic.Pointer[string] // see cutAt
	mu               sync.Mutex
	conns            []net.Conn
}

// relayTo returns a relay to the server of the database at url, and the database's URL through it.
func relayTo(t *testing.T, url string) (*relay, string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	must(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{Listener: listener, network: "unix", address: filepath.Join(config.Host, ".s.PGSQL.5432"), silent: make(chan struct{})}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := r.Accept()
			if err != nil {
				return
			}
			work.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() {
		_ = r.Close()
		r.cut()
		work.Wait()
	})
	return r, "postgres://" + config.User + "@" + r.Addr().String() + "/" + config.Database + "?sslmode=disable"
}

func (r *relay) pass(from net.Conn) {
	to, err := net.Dial(r.network, r.address)
	if err != nil {
		_ = from.Close()
		return
	}
	r.mu.Lock()
	r.conns = append(r.conns, from, to)
	r.mu.Unlock()
	var both sync.WaitGroup
	for in, out := range map[net.Conn]net.Conn{from: to, to: from} {
		both.Go(func() {
			_, _ = io.Copy(writer(func(p []byte) (int, error) {
				select {
				case <-r.silent:
					return len(p), nil
				default:
				}
				if in == from {
					return out.Write(p)
				}
				if lose := r.lose.Load(); lose != nil && bytes.Contains(p, []byte(*lose)) && r.lose.CompareAndSwap(lose, nil) {
					return 0, net.ErrClosed
				}
				return out.Write(p)
			}), in)
			_ = out.Close()
		})
	}
	both.Wait()
}

// cutAt ends the next connection whose server answers with this text, which its client never hears.
func (r *relay) cutAt(text string) { r.lose.Store(&text) }

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
}

// undisturbed holds that the schools of primary are answered without delay, for a while.
func (o *outage) undisturbed(t *testing.T, when string) {
	t.Helper()
	slowest := time.Duration(0)
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
		start := time.Now()
		if w := wrong(o.students("oak"), http.StatusOK, `"of-oak"`); w != "" {
			t.Errorf("%s, oak: %s", when, w)
		}
		slowest = max(slowest, time.Since(start))
	}
	if slowest > atOnce {
		t.Errorf("%s, oak took %v", when, slowest)
	}
	t.Logf("%s, oak took %v at most", when, slowest)
}

// flood sends more requests to schools than there are connections, and returns how long each may take
// and must have ended with 503.
func (o *outage) flood(t *testing.T, most time.Duration, codes ...string) *sync.WaitGroup {
	t.Helper()
	var all sync.WaitGroup
	for _, code := range codes {
		for range 10 {
			all.Go(func() {
				start := time.Now()
				if w := wrong(o.students(code), http.StatusServiceUnavailable, ""); w != "" || time.Since(start) > most {
					t.Errorf("%s after %v: %s", code, time.Since(start), w)
				}
			})
		}
	}
	return &all
}

// A server that takes connections and never answers holds up its own schools alone, and those not for
// long; also one that fell silent while connections to it were open.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	const acquireTime = 5 * time.Second
	o := outageOf(t, testkit.Database(t))
	north := testkit.EmptyDatabase(t)
	r, url := relayTo(t, north)
	o.register(t, "north", url)
	o.create(t, "elm", "north", "schema")
	o.create(t, "fir", "north", "schema")
	o.expect(t, "at first", http.StatusOK, "oak", "elm", "fir")

	close(r.silent)
	waiting := o.flood(t, time.Minute, "elm", "fir")
	o.undisturbed(t, "fallen silent")
	r.cut()
	waiting.Wait()

	waiting = o.flood(t, acquireTime+time.Second, "elm", "fir")
	o.undisturbed(t, "silent")
	waiting.Wait()

	_, err := o.platform.UpdateDatabase(t.Context(), platform.Shell, "north", func(*publicdb.Database) (platform.DatabaseChange, error) {
		return platform.DatabaseChange{URL: north, IsActive: true}, nil
	})
	must(t, err)
	o.answers(t, "elm", "fir")
}

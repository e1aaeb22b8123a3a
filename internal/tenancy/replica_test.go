package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// listen runs the registry until the test ends, and returns once it hears.
func listen(tb testing.TB, registry *tenancy.Registry) {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- registry.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	eventually(tb, "the registry hears", registry.Trusts)
}

// eventually returns how long it took for is to hold.
func eventually(tb testing.TB, what string, is func() bool) time.Duration {
	tb.Helper()
	for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		if is() {
			return time.Since(start)
		}
		if time.Since(start) > 10*time.Second {
			tb.Fatal("never: " + what)
		}
	}
}

// replica is a registry that listens, over a pool that counts and can be cut off.
type replica struct {
	*tenancy.Registry
	pool *countingPool
}

type countingPool struct {
	*postgres.Database
	pools    *postgres.Pools
	acquired atomic.Int64
	written  atomic.Int64 // messages on whichever connection of the pools
	gone     atomic.Bool
}

type countingConn struct {
	net.Conn
	written *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.written.Add(1)
	return c.Conn.Write(p)
}

var errGone = &net.OpError{Op: "dial", Err: errors.New("nobody is there")}

func (p *countingPool) Acquire(ctx context.Context, searchPath string) (*pgxpool.Conn, error) {
	p.acquired.Add(1)
	if p.gone.Load() {
		return nil, errGone
	}
	return p.Database.Acquire(ctx, searchPath)
}

func (p *countingPool) connConfig() (*pgx.ConnConfig, error) {
	config, err := postgres.ConnConfig(p.pools.Primary().URL)
	if err != nil {
		return nil, err
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.gone.Load() {
			return nil, errGone
		}
		return dial(ctx, network, address)
	}
	return config, nil
}

// overPool returns a registry over a pool that counts.
func overPool(t *testing.T, url string) (*tenancy.Registry, *countingPool) {
	t.Helper()
	pools := testkit.Pools(t, url)
	pool := &countingPool{Database: pools.Database(postgres.Primary), pools: pools}
	pools.Wrap = func(conn net.Conn) net.Conn { return countingConn{conn, &pool.written} }
	return tenancy.NewOver(pools, pool, pool.connConfig), pool
}

// replicas returns registries of one database that hear its changes, and a connection to it.
func replicas(t *testing.T, n int) ([]replica, *pgx.Conn) {
	t.Helper()
	url := testkit.Database(t)
	var all []replica
	for range n {
		registry, pool := overPool(t, url)
		t.Cleanup(func() { must(t, registry.Close()) })
		listen(t, registry)
		all = append(all, replica{registry, pool})
	}
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close(context.Background())) })
	return all, conn
}

// run carries out statements as somebody with psql would, in a session that knows nothing of ours.
func run(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), "SET search_path = ''; "+statements)
	must(t, err)
}

// insertSchool is SQL that makes a school with a domain.
func insertSchool(code, host string) string {
	return fmt.Sprintf(`INSERT INTO public.clients (id, name, code, schema_name, state) VALUES (gen_random_uuid(), '%[1]s', '%[1]s', 'school_%[1]s', 'ready');
INSERT INTO public.domains (id, domain, tenant_id) SELECT gen_random_uuid(), '%[2]s', id FROM public.clients WHERE code = '%[1]s';`, code, host)
}

// outcome is what a look-up comes to: a school's code, or the kind of failure.
func outcome(tenant *tenancy.Tenant, err error) string {
	if err != nil {
		return string(fault.Of(err).Kind)
	}
	return tenant.Code
}

func (r replica) host(host string) string { return outcome(r.ByHost(context.Background(), host)) }

func (r replica) contact(key string) string { return outcome(r.ByContact(context.Background(), key)) }

// remember looks a host up until that takes no query any more: until every message of what was done
// before has come.
func (r replica) remember(t *testing.T, host string) {
	t.Helper()
	eventually(t, host+" is remembered", func() bool {
		before := r.pool.acquired.Load()
		r.host(host)
		return r.pool.acquired.Load() == before
	})
}

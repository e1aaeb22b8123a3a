package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Database is the connections of one database.
type Database struct {
	counters
	pools  *Pools
	name   string
	lookup Lookup
	share  *share // what its server may have of permits and slots

	current atomic.Pointer[homes] // nil while there is none
	up      atomic.Bool           // the last attempt to connect came through
	first   chan struct{}         // one caller at a time tries a database that is not up

	mu        sync.Mutex
	failed    error // why the database could not be reached
	until     time.Time
	forgotten uint64 // how often: what was looked up before is not to be opened any more
}

func newDatabase(p *Pools, name string, lookup Lookup) *Database {
	return &Database{pools: p, name: name, lookup: lookup, share: p.shareOf(name), first: make(chan struct{}, 1)}
}

// Acquire returns a connection, if it can be had soon the one that work under this search_path always
// gets; whoever gets it gives it back to Release. When none can be had in a few seconds, the error is
// DatabaseUnavailable.
func (d *Database) Acquire(ctx context.Context, searchPath string) (*pgxpool.Conn, error) {
	d.uses.Add(1)
	if !d.up.Load() {
		// A server that answers nobody must not take the permits of the others' callers.
		if err := line(ctx, d.first); err != nil {
			return nil, err
		}
		defer func() { <-d.first }()
		if err := d.recently(); err != nil {
			return nil, err
		}
	}
	for {
		pool, err := d.opened(ctx)
		if err != nil {
			return nil, d.failure(ctx, err)
		}
		conn, err := d.from(ctx, pool, searchPath)
		if err == nil {
			d.up.CompareAndSwap(false, true)
			return conn, nil
		}
		if d.current.Load() == pool || ctx.Err() != nil {
			return nil, d.failure(ctx, err)
		}
		if err := d.recently(); err != nil { // another has found out meanwhile, or this one
			return nil, err
		}
		// Somebody has closed this pool meanwhile: the next one does better.
	}
}

// Release takes back a connection that Acquire has given.
func (d *Database) Release(conn *pgxpool.Conn) {
	home := homeOf(conn)
	conn.Release()
	d.released(home)
}

func (d *Database) released(home *home) {
	home.leave()
	d.inUse.Add(-1)
	d.leave()
}

// enter waits for a permit, first for one of the share: who waits there keeps nobody else from theirs.
func (d *Database) enter(ctx context.Context) error {
	if d.share == nil {
		return line(ctx, d.pools.permits)
	}
	if err := line(ctx, d.share.permits); err != nil {
		return err
	}
	err := line(ctx, d.pools.permits)
	if err != nil {
		<-d.share.permits
	}
	return err
}

// leave gives back the permit.
func (d *Database) leave() {
	<-d.pools.permits
	if d.share != nil {
		<-d.share.permits
	}
}

// With runs do with a connection, for what has no scope. It must leave nothing on the session.
func (d *Database) With(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := d.Acquire(ctx, "")
	if err != nil {
		return err
	}
	defer d.Release(conn)
	return do(conn.Conn())
}

// from takes a connection from the pool, once it is this caller's turn.
func (d *Database) from(ctx context.Context, pool *homes, searchPath string) (*pgxpool.Conn, error) {
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	if d.current.Load() != pool { // who has waited in line does not wait for a lost pool too
		d.leave()
		return nil, errDropped
	}
	d.inUse.Add(1)
	home, err := pool.take(ctx, searchPath, len(d.pools.slots) < cap(d.pools.slots))
	if err != nil {
		d.inUse.Add(-1)
		d.leave()
		return nil, err
	}
	conn, err := d.connection(ctx, pool, home)
	if err != nil {
		d.note(ctx, pool, err) // before the next in line has the permit
		d.released(home)
		return nil, err
	}
	home.learns(conn.Conn(), searchPath)
	return conn, nil
}

// connection returns the connection of a home that is held.
func (d *Database) connection(ctx context.Context, pool *homes, home *home) (*pgxpool.Conn, error) {
	own, err := pool.connections(home, d)
	if err != nil {
		return nil, err
	}
	if home.open.Load() == 0 { // it has to be made; the timer costs too much where that isn't so
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, acquireTimeout)
		defer cancel()
	}
	return own.Acquire(connecting{ctx})
}

// note takes down that no connection could be made. The pool is given up with it: the database may be
// elsewhere now, or take another password.
func (d *Database) note(ctx context.Context, pool *homes, err error) {
	var connect *pgconn.ConnectError
	var pg *pgconn.PgError
	full := errors.As(err, &pg) && pg.Code == "53300" // too_many_connections: those that we have are good
	slow := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if d.current.Load() == pool && (errors.As(err, &connect) && !full || slow) {
		d.up.Store(false)
		_ = d.failure(ctx, err)
		d.drop(pool)
	}
}

// opened returns the pool, opened if there is none.
func (d *Database) opened(ctx context.Context) (*homes, error) {
	if pool := d.current.Load(); pool != nil {
		return pool, nil
	}
	d.mu.Lock()
	asked := d.forgotten
	d.mu.Unlock()
	select {
	case <-d.pools.stop: // else Close is still to forget
		return nil, errClosed
	default:
	}
	if d.lookup == nil {
		return nil, fmt.Errorf("the database %s is not registered", d.name)
	}
	address, err := d.lookup(ctx, d.name)
	if err != nil {
		return nil, fmt.Errorf("finding the database %s: %w", d.name, err)
	}
	pool, err := open(address, d.pools.most)
	if err != nil {
		return nil, err
	}
	if !d.install(pool, asked) {
		return d.opened(ctx)
	}
	return pool, nil
}

// install makes a pool the current one, unless another was faster or the database was forgotten since asked.
func (d *Database) install(pool *homes, asked uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forgotten == asked && d.current.CompareAndSwap(nil, pool)
}

func (d *Database) dial(home *home, dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.pools.dial(ctx, d, home, func(ctx context.Context) (net.Conn, error) { return dial(ctx, network, address) })
	}
}

// forget closes the pool, so that the next use looks the database up anew; also one that is being looked up.
func (d *Database) forget() {
	d.mu.Lock()
	d.forgotten++
	d.mu.Unlock()
	d.drop(d.current.Load())
}

// drop closes a pool if it is still the current one.
func (d *Database) drop(pool *homes) {
	if pool != nil && d.current.CompareAndSwap(pool, nil) {
		d.pools.background.Go(pool.close) // which waits for those in use
	}
}

// failure says that the database can't be reached, to this caller and to those of the next moment.
func (d *Database) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil { // the caller's own
		return err
	}
	var known *fault.Error
	if !errors.As(err, &known) || known.Kind != fault.DatabaseUnavailable {
		err = unavailable().Because(fmt.Errorf("database %s: %w", d.name, err))
	}
	if !d.up.Load() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.failed, d.until = err, time.Now().Add(failureTime)
	}
	return err
}

// recently returns why the database could not be reached, for a moment after that.
func (d *Database) recently() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil && time.Now().Before(d.until) {
		return d.failed
	}
	d.failed = nil
	return nil
}

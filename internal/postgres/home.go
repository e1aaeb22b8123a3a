package postgres

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// homeTimeout is how long the first of those who wait for a busy home does so. A statement by key takes
// a tenth of that; to teach another connection a schema's tables costs the server as much.
const homeTimeout = time.Millisecond

// homeless is how many schemas one of the first connections takes in that are at home elsewhere.
const homeless = 128

// homes are the connections of a database. Each is a pool of its own, used by one at a time, because what
// PostgreSQL knows of a schema (its tables, its statements' plans) it knows by connection: learned anew, a
// read by key costs five times as much. So work goes to a connection that knows its schema. The first quarter
// learns whatever comes, so that a few schools keep few of the server's processes busy: spread over all, each
// runs so seldom that the processor's caches have forgotten it. Those of many schools are learned by one
// connection each, the schema's home. Half of the connections are homes, the others are for when those are
// busy.
type homes struct {
	config *pgxpool.Config
	seed   maphash.Seed
	all    []*home
}

// home is one connection, or the place for one.
type home struct {
	busy    chan struct{}       // held by whoever uses it
	current *pgx.Conn           // the connection, for whoever holds the home
	knows   map[string]struct{} // search paths that it has worked under
	waiting atomic.Bool         // somebody waits for it
	open    atomic.Int32        // sockets
	once    sync.Once
	pool    *pgxpool.Pool // made with the first use
	err     error
}

func newHomes(config *pgxpool.Config) *homes {
	h := &homes{config: config, seed: maphash.MakeSeed(), all: make([]*home, config.MaxConns)}
	for i := range h.all {
		h.all[i] = &home{busy: make(chan struct{}, 1)}
	}
	return h
}

// take returns a home that the caller now holds: one that knows the key or may learn it, else the key's own
// if it can be had soon, else one that is connected, else any. There is one, for nobody comes without a
// permit. With mayOpen, there is room for one more connection.
func (h *homes) take(ctx context.Context, key string, mayOpen bool) (*home, error) {
	n := len(h.all)
	first := int(maphash.String(h.seed, key) % uint64((n+1)/2))
	own := h.all[first]
	if own.suits(key, 0) {
		return own, nil
	}
	learning := (n + 3) / 4
	for _, one := range h.all {
		fewer := 0
		if one.open.Load() > 0 && learning > 0 {
			fewer, learning = homeless, learning-1
		}
		if one.suits(key, fewer) {
			return one, nil
		}
	}
	if mayOpen || own.open.Load() > 0 {
		if taken, err := own.soon(ctx); taken || err != nil {
			return own, err
		}
	}
	for connected := true; ; connected = !connected {
		for i := range n {
			if one := h.all[(first+i)%n]; (!connected || one.open.Load() > 0) && one.try() {
				return one, nil
			}
		}
		if !connected {
			runtime.Gosched() // they change hands just now
		}
	}
}

// suits takes the home if it is free, connected and knows the key, or fewer than a number of them.
func (o *home) suits(key string, fewer int) bool {
	if o.open.Load() == 0 || !o.try() {
		return false
	}
	if _, known := o.knows[key]; known || len(o.knows) < fewer {
		return true
	}
	o.leave()
	return false
}

// learns notes that the connection is about to work under a search path.
func (o *home) learns(conn *pgx.Conn, path string) {
	if o.current != conn {
		o.current, o.knows = conn, map[string]struct{}{}
	}
	o.knows[path] = struct{}{}
}

func (o *home) try() bool {
	select {
	case o.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

// soon takes the home, or waits a moment for it unless somebody does already.
func (o *home) soon(ctx context.Context) (bool, error) {
	if o.try() {
		return true, nil
	}
	if !o.waiting.CompareAndSwap(false, true) {
		return false, nil
	}
	defer o.waiting.Store(false)
	timer := time.NewTimer(homeTimeout)
	defer timer.Stop()
	select {
	case o.busy <- struct{}{}:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// leave lets go of the home.
func (o *home) leave() { <-o.busy }

const homeName = "homeroom home"

// connections returns the pool of a home that is held.
func (h *homes) connections(o *home, d *Database) (*pgxpool.Pool, error) {
	o.once.Do(func() {
		config := h.config.Copy() // with room for more than one: of a lost connection pgx lets go in up to 15 s
		config.ConnConfig.DialFunc = d.dial(o, config.ConnConfig.DialFunc)
		config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
			conn.PgConn().CustomData()[homeName] = o
			// Else times are read in the zone of this process.
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
			return nil
		}
		o.pool, o.err = pgxpool.NewWithConfig(context.Background(), config)
	})
	return o.pool, o.err
}

// homeOf returns the home of a connection.
func homeOf(conn *pgxpool.Conn) *home {
	return conn.Conn().PgConn().CustomData()[homeName].(*home) //nolint:forcetypeassert // AfterConnect put it there
}

// evict closes a connection that nobody uses, and reports whether there was one.
func (h *homes) evict(ctx context.Context) bool {
	for _, one := range h.all {
		if one.open.Load() == 0 || !one.try() {
			continue
		}
		closed := one.close(ctx)
		one.leave()
		if closed {
			return true
		}
	}
	return false
}

// close ends the connection of a home that is held, and reports whether there was one.
func (o *home) close(ctx context.Context) bool {
	idle := o.pool.AcquireAllIdle(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evictTimeout)
	defer cancel()
	for _, conn := range idle {
		_ = conn.Hijack().Close(ctx)
	}
	return len(idle) > 0
}

// close closes all connections and waits for those in use.
func (h *homes) close() {
	var closing sync.WaitGroup
	for _, one := range h.all {
		one.once.Do(func() { one.err = errClosed })
		if one.pool != nil {
			closing.Go(one.pool.Close)
		}
	}
	closing.Wait()
}

package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Primary is the name of the database that holds the public schema. It is registered nowhere: its URL
// is a setting.
const Primary = "primary"

// The times of the pools.
const (
	acquireTimeout = 5 * time.Second  // how long a caller waits for a connection, at most
	idleTimeout    = 10 * time.Minute // a pool that nobody used for so long is closed
	failureTime    = time.Second      // for so long a database that could not be reached is not tried again
	evictTimeout   = time.Second      // to say goodbye to one connection
	goneTimeout    = time.Second      // for a server's process to end
)

// Pools are a pool for each database, opened on its first use and closed when nobody uses it. All
// together never have more than a given number of connections open.
//
// Two counts see to that. A permit is the right to use a connection; there are as many as there may be
// connections, and who has none waits in line. A slot is a socket; who has a permit and meets no slot
// closes an idle connection of whatever database has most: there is one, for less are in use than may
// be open.
type Pools struct {
	// Wrap, if it is set before the first use, wraps each connection: to measure what goes over it.
	Wrap func(net.Conn) net.Conn

	primary Registration
	permits chan struct{}
	slots   chan struct{}
	most    int32

	mu     sync.Mutex
	byName map[string]*Database
	shares map[string]*share // by registered name
	lookup Lookup

	background sync.WaitGroup // the janitor, and pools that are being closed
	stop       chan struct{}
	stopOnce   sync.Once
}

// Lookup finds the URL to connect with, password included, of a database other than primary.
type Lookup func(ctx context.Context, name string) (address string, err error)

// NewPools returns the pools of the database at primaryURL and, once they can be looked up, of others.
// It does not connect yet. The caller closes them.
func NewPools(primaryURL string, maxConns int32) (*Pools, error) {
	if _, err := pgxpool.ParseConfig(primaryURL); err != nil {
		return nil, err
	}
	p := &Pools{
		primary: Setting(primaryURL),
		permits: make(chan struct{}, maxConns), slots: make(chan struct{}, maxConns), most: maxConns,
		byName: map[string]*Database{}, shares: map[string]*share{}, stop: make(chan struct{}),
	}
	p.byName[Primary] = newDatabase(p, Primary, func(context.Context, string) (string, error) { return primaryURL, nil })
	p.background.Go(p.closeIdle)
	return p, nil
}

// Others says how databases other than primary are found. It is to be called before they are used.
func (p *Pools) Others(lookup Lookup) { p.lookup = lookup }

// Primary is the database that holds the public schema. Its URL may hold a password.
func (p *Pools) Primary() Registration { return p.primary }

// Database returns the connections of a database. What it returns stays good, whatever happens to the
// pool behind it.
func (p *Pools) Database(name string) *Database {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.byName[name]
	if d == nil {
		d = newDatabase(p, name, p.lookup)
		p.byName[name] = d
	}
	return d
}

// share is what one server may have of the permits and of the slots: one that falls silent in the middle
// of its statements leaves a quarter to the others. A nil share is all.
type share struct{ permits, slots chan struct{} }

func (s *share) free() {
	if s != nil {
		<-s.slots
	}
}

// shareOf returns the share of a registered database and of those that its server has for single schools.
// Primary may have all: without it there would be no use for the rest.
func (p *Pools) shareOf(name string) *share {
	name, _, _ = strings.Cut(name, "/")
	if name == Primary {
		return nil
	}
	if p.shares[name] == nil {
		most := p.most - p.most/4
		p.shares[name] = &share{make(chan struct{}, most), make(chan struct{}, most)}
	}
	return p.shares[name]
}

// Forget closes the pool of a database and those of databases called after it, "name/...", so that
// their next use looks them up anew. Connections in use go on until they are given back.
func (p *Pools) Forget(name string) {
	for _, d := range p.all() {
		if d.name == name || strings.HasPrefix(d.name, name+"/") {
			d.forget()
		}
	}
}

// ForgetOthers is Forget for every registered database: all but primary, and what lies on its server.
func (p *Pools) ForgetOthers() {
	for _, d := range p.all() {
		if d.share != nil {
			d.forget()
		}
	}
}

// Close closes all pools and waits for the connections that are in use.
func (p *Pools) Close() {
	p.stopOnce.Do(func() { close(p.stop) })
	for _, d := range p.all() {
		d.forget()
	}
	p.background.Wait()
}

func (p *Pools) all() []*Database {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Database, 0, len(p.byName))
	for _, d := range p.byName {
		all = append(all, d)
	}
	return all
}

// closeIdle closes pools that have not been used between two looks.
func (p *Pools) closeIdle() {
	ticker := time.NewTicker(idleTimeout)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.closeUnused()
		}
	}
}

func (p *Pools) closeUnused() {
	for _, d := range p.all() {
		if uses := d.uses.Load(); uses != d.usesSeen.Swap(uses) || d.inUse.Load() > 0 {
			continue
		}
		d.drop(d.current.Load())
	}
}

// connecting is the context of who makes a connection: pgconn dials for its cancel requests too, which
// need no slot.
type connecting struct{ context.Context } //nolint:containedctx // it is a context

// Value says that a connection is being made.
func (c connecting) Value(key any) any {
	if key == (connecting{}) {
		return true
	}
	return c.Context.Value(key)
}

// dial opens a socket for a database once there is a slot for it, also of its share.
func (p *Pools) dial(ctx context.Context, d *Database, home *home, dialer func(context.Context) (net.Conn, error)) (net.Conn, error) {
	if ctx.Value(connecting{}) == nil {
		return dialer(ctx)
	}
	if d.share != nil {
		if err := p.slot(ctx, d.share.slots, d.share); err != nil {
			return nil, err
		}
	}
	if err := p.slot(ctx, p.slots, nil); err != nil {
		d.share.free()
		return nil, err
	}
	conn, err := dialer(ctx)
	if err != nil {
		<-p.slots
		d.share.free()
		return nil, err
	}
	d.open.Add(1)
	home.open.Add(1)
	if p.Wrap != nil {
		conn = p.Wrap(conn)
	}
	return &slotConn{Conn: conn, free: func() {
		home.open.Add(-1)
		d.open.Add(-1)
		<-p.slots
		d.share.free()
	}}, nil
}

// slot takes one of the slots. While there is none, idle connections are closed: those of a share, or any.
func (p *Pools) slot(ctx context.Context, slots chan struct{}, of *share) error {
	for {
		select {
		case slots <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
			if !p.evict(ctx, of) {
				time.Sleep(2 * time.Millisecond) // an idle one is on its way: given back, or being closed
			}
		}
	}
}

// evict closes an idle connection of the database that has most, of a share if one is given, and reports
// whether there was one.
func (p *Pools) evict(ctx context.Context, of *share) bool {
	var from *Database
	for _, d := range p.all() {
		if (of == nil || d.share == of) && d.idle() > 0 && (from == nil || d.idle() > from.idle()) {
			from = d
		}
	}
	if from == nil {
		return false
	}
	current := from.current.Load()
	return current != nil && current.evict(ctx)
}

// slotConn gives its slot back when the server is done with it.
type slotConn struct {
	net.Conn
	closing, freeing sync.Once
	free             func()
}

// Read reads. Where the server has ended the connection, whoever closes it may still take its time: pgconn
// sends a cancel request first, to a server that may answer nobody.
func (c *slotConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.freeing.Do(c.free)
	}
	return n, err
}

// Close closes the connection. A server's process outlives the goodbye by some milliseconds, in which it
// counts: only its own end of the socket says that it has gone.
func (c *slotConn) Close() (err error) {
	c.closing.Do(func() {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(goneTimeout)) == nil {
			_, _ = io.Copy(io.Discard, c.Conn)
		}
		err = c.Conn.Close()
		c.freeing.Do(c.free)
	})
	return err
}

var (
	errBusy    = errors.New("all connections are in use")
	errClosed  = errors.New("the pools are closed")
	errDropped = errors.New("the pool was closed meanwhile")
)

// line is a place in which callers wait for one of a number of permits, for a bounded time.
func line(ctx context.Context, permits chan struct{}) error {
	select {
	case permits <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(acquireTimeout)
	defer timer.Stop()
	select {
	case permits <- struct{}{}:
		return nil
	case <-timer.C:
		return unavailable().Because(errBusy)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counters are what the pools know of a database without asking its pool.
type counters struct {
	open     atomic.Int32 // sockets
	inUse    atomic.Int32 // connections given to callers, and callers that are getting one
	uses     atomic.Uint64
	usesSeen atomic.Uint64
}

// idle is how many connections nobody uses, about.
func (c *counters) idle() int32 { return c.open.Load() - c.inUse.Load() }

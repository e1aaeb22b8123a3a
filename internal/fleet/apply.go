package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

var (
	ident   = postgres.Ident
	literal = postgres.Literal
)

// State is where a schema stands against a directory.
type State struct {
	Version string   // the last applied revision, "" before the first
	Pending []string // the revisions to come
	Edited  []string // applied revisions whose files have another content now
	Ahead   bool     // the last applied revision is one the directory does not know
	Missing bool     // there is no such schema
}

// Status reads where a schema stands.
func (d *Directory) Status(ctx context.Context, conn *pgx.Conn, schema string) (State, error) {
	revisions, err := readRevisions(ctx, conn, schema)
	return d.state(revisions), err
}

// state is where a schema with these revisions stands.
func (d *Directory) state(revisions []revision) (s State) {
	start := ""
	if len(revisions) == 0 {
		start = d.lastCheckpoint()
	}
	applied := map[string]string{}
	for _, r := range revisions {
		if d.isCheckpoint(r.version) {
			start = r.version
		}
		if r.done() {
			applied[r.version] = r.hash
			s.Version = d.standsFor(r.version)
		}
	}
	s.Ahead = s.Version > d.Version()
	for _, f := range d.path(start) {
		switch hash, found := applied[f.version]; {
		case !found:
			s.Pending = append(s.Pending, f.version)
		case hash != f.hash:
			s.Edited = append(s.Edited, f.version)
		}
	}
	return s
}

// obstacle is why the pending files are not to be applied, nil where they are.
func (s State) obstacle() error {
	switch {
	case len(s.Edited) > 0:
		return &Failure{Message: fmt.Sprintf("revision %s was edited after it had been applied", strings.Join(s.Edited, ", "))}
	case !s.Ahead && len(s.Pending) > 0 && s.Pending[0] < s.Version:
		return &Failure{Message: fmt.Sprintf("revision %s is not applied though the later %s is: files must be added at the end", s.Pending[0], s.Version)}
	}
	return nil
}

// revision is a row of atlas_schema_revisions.
type revision struct {
	version, hash  string
	applied, total int
	failed         bool     // the atlas command writes '' where nothing has
	sums           []string // of the statements that were applied of a file that is not done
}

func (r revision) done() bool { return r.applied == r.total && !r.failed }

// readRevisions returns the revisions of a schema by version, none where it has no table of them. A
// version with a dot before it is a note of the atlas command's, no revision.
func readRevisions(ctx context.Context, conn *pgx.Conn, schema string) ([]revision, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT version, hash, applied, total, coalesce(error, '') <> '', partial_hashes FROM %s.atlas_schema_revisions
		WHERE version NOT LIKE '.%%' ORDER BY version COLLATE "C"`, ident(schema)), pgx.QueryExecModeExec)
	var revisions []revision
	if err == nil {
		revisions, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r revision, err error) {
			return r, row.Scan(&r.version, &r.hash, &r.applied, &r.total, &r.failed, &r.sums)
		})
	}
	if postgres.IsUndefined(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the revisions of %s: %w", schema, err)
	}
	return revisions, nil
}

// Apply brings one schema to the directory's last revision, a transaction a file, and returns
// where it stands then. It may be killed at any point and run again, also twice at once.
func (d *Directory) Apply(ctx context.Context, conn *pgx.Conn, schema string) (State, error) {
	c := &climb{directory: d, schema: schema, conn: conn}
	err := c.look(ctx)
	if err == nil {
		err = c.up(ctx)
	}
	if err != nil {
		err = fmt.Errorf("bringing %s up: %w", schema, err)
	}
	return c.state, err
}

// climb is one schema's way to the last revision.
type climb struct {
	directory *Directory
	schema    string
	conn      *pgx.Conn
	connect   func(context.Context) (*pgx.Conn, error) // for a connection that is lost; nil where it is the caller's

	from    string // the revision it was at before
	state   State
	seen    bool       // the state was read here, with the history
	history []revision // without what was begun
	begun   *revision  // of the first pending file, where it was applied in part
	retries int
}

// origin is where the schema is: by what was read here, else by what its revision means.
func (c *climb) origin() origin {
	from := origin{bare: c.state.Version == "", digests: []string{digestOf(c.history)}, begun: c.begun}
	if !c.seen {
		from.digests = c.directory.leadsTo(c.state.Version)
	}
	return from
}

// look reads where the schema is.
func (c *climb) look(ctx context.Context) (err error) {
	if c.connect != nil && c.conn.IsClosed() {
		conn, err := c.connect(ctx)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	revisions, err := readRevisions(ctx, c.conn, c.schema)
	if err != nil {
		return err
	}
	c.seen, c.state, c.history, c.begun = true, c.directory.state(revisions), nil, nil
	for _, r := range revisions {
		if len(c.state.Pending) > 0 && r.version == c.state.Pending[0] {
			c.begun = &r
		} else {
			c.history = append(c.history, r)
		}
	}
	return nil
}

// up applies the pending files, one after the other. What fails for the moment is tried again, from
// where the schema is by then.
func (c *climb) up(ctx context.Context) error {
	var p patience
	moved := false
	for {
		if err := c.state.obstacle(); err != nil || len(c.state.Pending) == 0 || c.state.Ahead {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := c.next(ctx)
		if err == nil {
			c.passed()
			p, moved = patience{}, true
			continue
		}
		for err != nil {
			if c.connect == nil && c.conn.IsClosed() {
				return err
			}
			if err := p.wait(ctx, err); err != nil {
				return err
			}
			err = c.look(ctx)
		}
		c.retries++
		if !moved {
			c.from = c.state.Version
		}
	}
}

// passed says that the first pending file is applied.
func (c *climb) passed() {
	f := c.directory.file(c.state.Pending[0])
	c.state.Version, c.state.Pending = c.directory.standsFor(f.version), c.state.Pending[1:]
	c.history, c.begun = append(c.history, f.whole()), nil
}

// grace is how long a file that is being applied may go on once the run was told to stop. Then it is
// rolled back.
const grace = 5 * time.Second

// graceful returns a context that ends so long after ctx.
func graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-work.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return work, func() { stop(); cancel() }
}

// next applies the first pending file.
func (c *climb) next(ctx context.Context) error {
	work, cancel := graceful(ctx)
	defer cancel()
	f := c.directory.file(c.state.Pending[0])
	if err := f.check(c.begun); err != nil {
		return err
	}
	if f.concurrent {
		return c.outside(work, f)
	}
	held, err := c.hold(work)
	if err != nil {
		return err
	}
	from := c.origin()
	from.held = held
	if f.settings {
		defer delete(c.conn.PgConn().CustomData(), holdName) // what it set is taken back with all else
	}
	return f.send(work, c.conn, f.script(c.schema, from))
}

const holdName = "homeroom migrate"

// hold keeps the atlas command out for as long as the connection lasts and sets what holds for all schools,
// if it is a rollout's own and no pooler has it: to do so in each message would cost a fifth of what a small
// ALTER does.
func (c *climb) hold(ctx context.Context) (held bool, err error) {
	if c.connect == nil {
		return false, nil
	}
	holds := c.conn.PgConn().CustomData()
	if held, known := holds[holdName].(bool); known {
		return held, nil
	}
	pooled, err := isPooled(ctx, c.conn)
	if err != nil {
		return false, err
	}
	if !pooled {
		if err := c.conn.PgConn().Exec(ctx, join(sessionTerms)).Close(); err != nil {
			return false, err
		}
		if err := c.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock_shared($1)", pgx.QueryExecModeExec, commandLock).Scan(&held); err != nil {
			return false, err
		}
		if !held {
			return false, errRaced
		}
	}
	holds[holdName] = held
	return held, nil
}

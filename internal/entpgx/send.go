package entpgx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// call is one statement on its way to the server.
type call struct {
	db      *DB
	conn    *pgxpool.Conn
	session *session
	scope   Scope
	begin   string // the statement that begins a transaction first; "" for none
	enter   bool   // the scope must be set first
	roled   bool   // the transaction was in a scope with a role before
	anew    bool   // nothing that is prepared is good enough
	sql     string
	args    []any
}

func (c *call) pg() *pgconn.PgConn { return c.conn.Conn().PgConn() }

// runAlone runs one statement on a connection of its own, in its implicit transaction.
func (db *DB) runAlone(ctx context.Context, scope Scope, query string, args []any) (*rows, error) {
	conn, s, err := db.acquire(ctx, scope)
	if err != nil {
		return nil, err
	}
	open := false
	defer func() { // also when writing an argument panics
		if !open {
			db.release(conn, s)
		}
	}()
	c := &call{db: db, conn: conn, session: s, scope: scope, enter: true, sql: query, args: args}
	r, err := c.send(ctx)
	if err != nil && stale(err) && !conn.Conn().IsClosed() {
		// It did nothing: it was the whole of its transaction.
		c.forget()
		r, err = c.send(ctx)
	}
	if err != nil {
		return nil, err
	}
	if open = !r.done; open {
		r.release = func() { db.release(conn, s) }
		r.watch(ctx)
	}
	return r, nil
}

// acquire takes a connection from the pool.
func (db *DB) acquire(ctx context.Context, scope Scope) (*pgxpool.Conn, *session, error) {
	conn, err := db.pool.Acquire(ctx, scope.SearchPath)
	if err != nil {
		return nil, nil, err
	}
	s, err := db.sessionOf(ctx, conn)
	if err != nil {
		db.pool.Release(conn)
		return nil, nil, err
	}
	return conn, s, nil
}

// stale reports whether a statement may have failed only because what is known of it is of another
// revision of its tables: "cached plan must not change result type", a statement that somebody has
// dropped, another number of columns, or parameters of another type than the columns now have.
func stale(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "0A000":
		return pg.Routine == "RevalidateCachedQuery"
	case "26000", "08P01", "42883", "42804", "42846", "22003", "22007", "22P02", "22P03":
		return true
	}
	return false
}

// forget drops what is known of the statement.
func (c *call) forget() {
	c.session.forget(statementKey{c.scope, c.sql})
	c.db.shapes.byText.Delete(c.sql)
}

// release gives a connection back, or ends it if it has served its share of scopes. The pool itself
// ends one that is closed, in a transaction or in the middle of an answer.
func (db *DB) release(conn *pgxpool.Conn, s *session) {
	if db.options.MaxScopes > 0 && len(s.scopes) > db.options.MaxScopes && !conn.Conn().PgConn().IsBusy() {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		_ = conn.Conn().Close(ctx) // says goodbye and waits for nothing
	}
	db.pool.Release(conn)
}

// send sends the statement with what must come before it, in one round trip if its shape is known
// and in two if not, and reads its first row.
func (c *call) send(ctx context.Context) (*rows, error) {
	if c.db.options.MaxScopes > 0 {
		c.session.scopes[c.scope] = struct{}{}
	}
	key := statementKey{c.scope, c.sql}
	if c.anew {
		c.session.forget(key)
	}
	if st := c.session.find(key); st != nil {
		values, formats, err := encode(c.conn.Conn().TypeMap(), st.shape.paramOIDs, c.args)
		if err != nil {
			return nil, err
		}
		return c.batch(ctx, st.shape.fields, func(b *pgconn.Batch) { b.ExecStatement(st.description, values, formats, st.shape.formats) })
	}
	sh := c.db.shapes.get(c.sql)
	if sh == nil {
		var err error
		if sh, err = c.describe(ctx); err != nil {
			return nil, err
		}
	}
	values, formats, err := encode(c.conn.Conn().TypeMap(), sh.paramOIDs, c.args)
	if err != nil {
		return nil, err
	}
	if c.session.unnamed || len(c.sql) > maxNamedSQL {
		return c.batch(ctx, nil, func(b *pgconn.Batch) { b.ExecParams(c.sql, values, sh.paramOIDs, formats, sh.formats) })
	}
	return c.prepareAndRun(ctx, sh, values, formats)
}

func (c *call) scopeCall() (*pgconn.StatementDescription, [][]byte) {
	role := c.scope.Role
	switch {
	case role == "" && c.roled:
		role = "none" // the login's own (PostgreSQL manual, SET ROLE)
	case role == "":
		return c.session.scope, [][]byte{[]byte(c.scope.SearchPath)}
	}
	return c.session.scopeRole, [][]byte{[]byte(c.scope.SearchPath), []byte(role)}
}

// batch sends the statement that add appends, behind what must come first, under one Sync. Without
// fields, the server's description of them is taken.
func (c *call) batch(ctx context.Context, fields []pgconn.FieldDescription, add func(*pgconn.Batch)) (*rows, error) {
	var b pgconn.Batch
	first := c.prefix(&b)
	add(&b)
	results := c.pg().ExecBatch(ctx, &b)
	for range first {
		if !results.NextResult() {
			return nil, closed(results)
		}
		if _, err := results.ResultReader().Close(); err != nil {
			return nil, closed(results)
		}
	}
	if !results.NextResult() {
		return nil, closed(results)
	}
	reader := results.ResultReader()
	if len(fields) == 0 {
		fields = slices.Clone(reader.FieldDescriptions())
	}
	return c.rows(reader, results.Close, fields)
}

// closed returns the error of results that ended too early.
func closed(results *pgconn.MultiResultReader) error {
	if err := results.Close(); err != nil {
		return err
	}
	return errors.New("entpgx: the server left an answer out")
}

// prefix appends what must come before the statement and returns how many results that gives.
func (c *call) prefix(b *pgconn.Batch) (n int) {
	if c.begin != "" && c.begin != beginSQL {
		b.ExecParams(c.begin, nil, nil, nil, nil)
		n++
	} else if c.begin != "" {
		c.append(b, c.session.begin, nil)
		n++
	}
	if c.enter {
		description, values := c.scopeCall()
		c.append(b, description, values)
		n++
	}
	return n
}

func (c *call) append(b *pgconn.Batch, description *pgconn.StatementDescription, values [][]byte) {
	if description.Name == "" {
		b.ExecParams(description.SQL, values, description.ParamOIDs, nil, nil)
		return
	}
	b.ExecStatement(description, values, nil, nil)
}

// rows returns the rows of an answer once the first is read, so that errors come to light here. end
// finishes the exchange with the server.
func (c *call) rows(reader *pgconn.ResultReader, end func() error, fields []pgconn.FieldDescription) (*rows, error) {
	r := &rows{reader: reader, end: end, fields: fields, types: c.conn.Conn().TypeMap(), release: func() {}, translate: func(err error) error { return err }}
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.translate = c.db.options.Translate
	return r, nil
}

// result returns the next answer of a pipeline, which must be of type T.
func result[T any](p *pgconn.Pipeline) (answer T, err error) {
	got, err := p.GetResults()
	if err != nil {
		return answer, err
	}
	answer, ok := got.(T)
	if !ok {
		return answer, fmt.Errorf("entpgx: the server answered with %T, not %T", got, answer)
	}
	return answer, nil
}

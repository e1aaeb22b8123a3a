package entpgx

import (
	"context"
	"errors"
	"fmt"

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
	sql     string
	args    []any
}

func (c *call) pg() *pgconn.PgConn { return c.conn.Conn().PgConn() }

// runAlone runs one statement on a connection of its own, in its implicit transaction.
func (db *DB) runAlone(ctx context.Context, scope Scope, query string, args []any) (*rows, error) {
	conn, s, err := db.acquire(ctx)
	if err != nil {
		return nil, err
	}
	c := &call{db: db, conn: conn, session: s, scope: scope, enter: true, sql: query, args: args}
	r, err := c.send(ctx)
	if err != nil && worthAnother(err) {
		// The statement's tables have changed since it was prepared, or somebody has dropped it. It did
		// nothing: it was the whole of its transaction.
		s.forget(statementKey{scope, query})
		db.shapes.byText.Delete(query)
		r, err = c.send(ctx)
	}
	if err != nil {
		db.release(conn, s)
		return nil, err
	}
	if r.done {
		db.release(conn, s)
	} else {
		r.release = func() { db.release(conn, s) }
		r.watch(ctx)
	}
	return r, nil
}

// acquire takes a connection from the pool.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, *session, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := db.sessionOf(ctx, conn)
	if err != nil {
		conn.Release()
		db.released()
		return nil, nil, err
	}
	return conn, s, nil
}

// worthAnother reports whether a statement failed only because what was prepared is stale: "cached
// plan must not change result type", an unknown prepared statement, or another number of columns.
func worthAnother(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "0A000" && pg.Routine == "RevalidateCachedQuery" || pg.Code == "26000" || pg.Code == "08P01")
}

// release gives a connection back, or ends it if it has served its share of scopes. The pool itself
// ends one that is in a transaction or in the middle of an answer.
func (db *DB) release(conn *pgxpool.Conn, s *session) {
	defer db.released()
	if db.options.MaxScopes == 0 || len(s.scopes) <= db.options.MaxScopes || conn.Conn().PgConn().IsBusy() {
		conn.Release()
		return
	}
	retired := conn.Hijack()
	go func() { _ = retired.Close(context.Background()) }() // says goodbye; pgx bounds how long that takes
}

// send sends the statement with what must come before it, in one round trip if its shape is known
// and in two if not, and reads its first row.
func (c *call) send(ctx context.Context) (*rows, error) {
	c.session.scopes[c.scope] = struct{}{}
	key := statementKey{c.scope, c.sql}
	if st := c.session.find(key); st != nil {
		values, formats, err := encode(c.conn.Conn().TypeMap(), st.shape.paramOIDs, c.args)
		if err != nil {
			return nil, err
		}
		return c.batch(ctx, func(b *pgconn.Batch) { b.ExecStatement(st.description, values, formats, st.shape.formats) })
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
	if c.db.options.Unnamed || len(c.sql) > maxNamedSQL {
		return c.batch(ctx, func(b *pgconn.Batch) { b.ExecParams(c.sql, values, sh.paramOIDs, formats, sh.formats) })
	}
	return c.prepareAndRun(ctx, key, sh, values, formats)
}

func (c *call) scopeCall() (*pgconn.StatementDescription, [][]byte) {
	if c.scope.Role == "" {
		return c.session.scope, [][]byte{[]byte(c.scope.SearchPath)}
	}
	return c.session.scopeRole, [][]byte{[]byte(c.scope.SearchPath), []byte(c.scope.Role)}
}

// batch sends the statement that add appends, behind what must come first, under one Sync.
func (c *call) batch(ctx context.Context, add func(*pgconn.Batch)) (*rows, error) {
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
	return c.rows(reader, results.Close, reader.FieldDescriptions())
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
		c.append(b, c.session.begin, beginSQL, nil)
		n++
	}
	if c.enter {
		description, values := c.scopeCall()
		c.append(b, description, description.SQL, values)
		n++
	}
	return n
}

func (c *call) append(b *pgconn.Batch, description *pgconn.StatementDescription, sql string, values [][]byte) {
	if c.db.options.Unnamed {
		b.ExecParams(sql, values, description.ParamOIDs, nil, nil)
		return
	}
	b.ExecStatement(description, values, nil, nil)
}

// describe asks the server what the statement takes and gives, in the scope, and keeps the answer.
func (c *call) describe(ctx context.Context) (*shape, error) {
	var described *pgconn.StatementDescription
	err := c.pipeline(ctx, func(p *pgconn.Pipeline) { p.SendPrepare("", c.sql, nil) }, func(p *pgconn.Pipeline) error {
		var err error
		described, err = result[*pgconn.StatementDescription](p)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.begin = "" // done, if it was to be
	sh := newShape(described)
	if len(c.sql) <= maxNamedSQL {
		c.db.shapes.put(c.sql, sh)
	}
	return sh, nil
}

// pipeline sends what must come first and what send adds, under one Sync, and reads the answers.
func (c *call) pipeline(ctx context.Context, send func(*pgconn.Pipeline), read func(*pgconn.Pipeline) error) error {
	p := c.pg().StartPipeline(ctx)
	first := c.sendFirst(p)
	send(p)
	err := p.Sync()
	if err == nil {
		err = c.readFirst(p, first)
	}
	if err == nil {
		err = read(p)
	}
	if closing := p.Close(); err == nil {
		err = closing
	}
	return err
}

// sendFirst sends what must come before the statement and returns how many answers that gives.
func (c *call) sendFirst(p *pgconn.Pipeline) (n int) {
	if c.begin != "" {
		p.SendQueryParams(c.begin, nil, nil, nil, nil)
		n++
	}
	if c.enter {
		description, values := c.scopeCall()
		p.SendQueryParams(description.SQL, values, description.ParamOIDs, nil, nil)
		n++
	}
	return n
}

func (c *call) readFirst(p *pgconn.Pipeline, n int) error {
	for range n {
		r, err := result[*pgconn.ResultReader](p)
		if err == nil {
			_, err = r.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// prepareAndRun prepares a statement whose shape is known from another connection and runs it, in
// one round trip.
func (c *call) prepareAndRun(ctx context.Context, key statementKey, sh *shape, values [][]byte, formats []int16) (*rows, error) {
	s := c.session
	s.room()
	st := &statement{key: key, shape: sh, description: &pgconn.StatementDescription{Name: s.name(), SQL: c.sql, ParamOIDs: sh.paramOIDs, Fields: sh.fields}}
	p := c.pg().StartPipeline(ctx)
	first := c.sendFirst(p)
	dropped := s.dropped
	for _, name := range dropped {
		p.SendDeallocate(name)
	}
	p.SendPrepare(st.description.Name, c.sql, sh.paramOIDs)
	p.SendQueryStatement(st.description, values, formats, sh.formats)
	err := p.Sync()
	if err == nil {
		err = c.readFirst(p, first)
	}
	for range dropped {
		if err == nil {
			_, err = result[*pgconn.CloseComplete](p)
		}
	}
	var described *pgconn.StatementDescription
	if err == nil {
		s.dropped = s.dropped[len(dropped):]
		described, err = result[*pgconn.StatementDescription](p)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	s.add(st)
	fields := described.Fields
	for i := range fields {
		fields[i].Format = sh.formats[i]
	}
	if !sh.describes(described) {
		// This scope's tables are of another revision than those that the shape was learned from.
		st.shape = newShape(described)
		st.description.Fields = st.shape.fields
	}
	reader, err := result[*pgconn.ResultReader](p)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return c.rows(reader, p.Close, fields)
}

// rows returns the rows of an answer once the first is read, so that errors come to light here. end
// finishes the exchange with the server.
func (c *call) rows(reader *pgconn.ResultReader, end func() error, fields []pgconn.FieldDescription) (*rows, error) {
	r := &rows{reader: reader, end: end, fields: fields, types: c.conn.Conn().TypeMap(), translate: c.db.options.Translate, release: func() {}}
	if r.ahead = reader.NextRow(); !r.ahead {
		r.finish()
		if r.err != nil {
			return nil, r.err
		}
	}
	return r, nil
}

package entpgx

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	errRowsOpen    = errors.New("entpgx: the rows of the statement before are still open: read them to their end or close them")
	errRolledBack  = errors.New("entpgx: the transaction was rolled back: a statement in it had failed")
	errInterrupted = errors.New("entpgx: the transaction was rolled back: its connection was lost")
)

const (
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// Tx is one transaction, in which statements of several scopes may take part, one after the other.
// The server hears of it with the first of them.
type Tx struct {
	db    *DB
	begin string
	stop  func() bool // of watching the context that the transaction began with

	mu      sync.Mutex // the context's end comes from another goroutine
	conn    *pgxpool.Conn
	session *session
	begun   bool
	scope   *Scope // what the transaction is in now; nil if that isn't known
	open    *rows
	done    bool
	expired bool // the context has ended while rows were open
}

// Begin begins a transaction and takes a connection for it. When ctx ends, it is rolled back.
func (db *DB) Begin(ctx context.Context, options *sql.TxOptions) (*Tx, error) {
	begin, err := beginWith(options)
	if err != nil {
		return nil, err
	}
	conn, s, err := db.acquire(ctx)
	if err != nil {
		return nil, db.options.Translate(err)
	}
	t := &Tx{db: db, begin: begin, conn: conn, session: s}
	t.stop = context.AfterFunc(ctx, t.expire)
	return t, nil
}

// beginWith is the statement that begins a transaction (PostgreSQL manual, BEGIN).
func beginWith(options *sql.TxOptions) (string, error) {
	if options == nil {
		return beginSQL, nil
	}
	begin := beginSQL
	switch options.Isolation {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		begin += " ISOLATION LEVEL " + strings.ToUpper(options.Isolation.String())
	case sql.LevelSnapshot:
		begin += " ISOLATION LEVEL REPEATABLE READ"
	default:
		return "", fmt.Errorf("entpgx: PostgreSQL has no isolation level %s", options.Isolation)
	}
	if options.ReadOnly {
		begin += " READ ONLY"
	}
	return begin, nil
}

// In returns a driver whose statements run in the given scope, within the transaction. Its own
// transactions are parts of this one: they neither commit nor roll back.
func (t *Tx) In(scope Scope) dialect.Driver { return within{scoped{t, scope}} }

// Commit commits. A transaction in which a statement has failed can't be: that is an error.
func (t *Tx) Commit() error {
	return t.db.options.Translate(t.finish(commit))
}

// Rollback undoes all of the transaction. It does nothing after the end.
func (t *Tx) Rollback() error { return t.db.options.Translate(t.finish(rollback)) }

func (t *Tx) finish(command string) error {
	t.mu.Lock()
	open := t.open
	t.mu.Unlock()
	if open != nil {
		_ = open.Close() // it takes the lock itself
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return sql.ErrTxDone
	}
	return t.end(command)
}

// end ends the transaction with a command and lets go of the connection. The lock is held.
func (t *Tx) end(command string) error {
	t.done = true
	t.stop()
	defer t.db.release(t.conn, t.session)
	switch {
	case !t.begun:
		return nil
	case t.conn.Conn().IsClosed() && command == rollback:
		return nil // the server has rolled back
	case t.conn.Conn().IsClosed():
		return errInterrupted
	}
	// Not under the transaction's context: it may be what has ended.
	results := t.conn.Conn().PgConn().Exec(context.Background(), command)
	var tag pgconn.CommandTag
	for results.NextResult() {
		tag, _ = results.ResultReader().Close()
	}
	if err := results.Close(); err != nil {
		return err
	}
	if tag.String() != command {
		return errRolledBack
	}
	return nil
}

// expire rolls back when the context has ended; while rows are being read, whoever reads them does.
func (t *Tx) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.done:
	case t.open != nil:
		t.expired = true
	default:
		_ = t.end(rollback)
	}
}

// run sends one statement in a scope.
func (t *Tx) run(ctx context.Context, scope Scope, query string, args []any) (*rows, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := t.call(scope, query, args)
	if err != nil {
		return nil, err
	}
	r, err := c.send(ctx)
	t.settle(scope, query, err)
	if err != nil {
		t.session.forget(statementKey{scope, query})
		return nil, t.db.options.Translate(err)
	}
	if !r.done {
		t.open = r
		r.release = t.closed
		r.watch(ctx)
	}
	return r, nil
}

// call prepares a call in the transaction. The lock is held.
func (t *Tx) call(scope Scope, query string, args []any) (*call, error) {
	switch {
	case t.done:
		return nil, sql.ErrTxDone
	case t.open != nil:
		return nil, errRowsOpen
	}
	c := &call{db: t.db, conn: t.conn, session: t.session, scope: scope, sql: query, args: args}
	if !t.begun {
		c.begin = t.begin
	}
	c.enter = t.scope == nil || *t.scope != scope
	return c, nil
}

// settle notes what a statement has done to the transaction.
func (t *Tx) settle(scope Scope, query string, err error) {
	t.begun, t.scope = true, &scope
	if err != nil {
		t.begun, t.scope = t.conn.Conn().PgConn().TxStatus() != 'I', nil
	}
	// Back at a savepoint the settings are what they were there (PostgreSQL manual, SET).
	if text := strings.TrimSpace(query); len(text) >= len(rollback) && strings.EqualFold(text[:len(rollback)], rollback) {
		t.scope = nil
	}
}

// closed is what the open rows call when they are closed.
func (t *Tx) closed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = nil
	if t.expired && !t.done {
		_ = t.end(rollback)
	}
}

// script runs several statements at once, without arguments (the simple protocol).
func (t *Tx) script(ctx context.Context, scope Scope, script string) (sql.Result, error) {
	if _, err := drain(t.run(ctx, scope, "SELECT 1", nil)); err != nil { // begins, and enters the scope
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return nil, sql.ErrTxDone
	}
	results := t.conn.Conn().PgConn().Exec(ctx, script)
	var affected driver.RowsAffected
	for results.NextResult() {
		if tag, err := results.ResultReader().Close(); err == nil {
			affected = driver.RowsAffected(tag.RowsAffected())
		}
	}
	t.scope = nil // the script may have set another
	return affected, t.db.options.Translate(results.Close())
}

// scoped is a transaction as statements of one scope see it.
type scoped struct {
	*Tx
	scope Scope
}

func (s scoped) run(ctx context.Context, query string, args []any) (*rows, error) {
	return s.Tx.run(ctx, s.scope, query, args)
}

func (s scoped) Exec(ctx context.Context, query string, args, v any) error {
	return exec(ctx, s, query, args, v)
}

func (s scoped) Query(ctx context.Context, query string, args, v any) error {
	return queryInto(ctx, s, query, args, v)
}

func (s scoped) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if len(args) == 0 {
		return s.script(ctx, s.scope, query)
	}
	return drain(s.run(ctx, query, args))
}

func (s scoped) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.db.sqlRows(ctx, s, query, args)
}

// within is a driver whose transactions are parts of one that is open already.
type within struct{ scoped }

func (within) Dialect() string { return dialect.Postgres }
func (within) Close() error    { return nil }

func (w within) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(w), nil }

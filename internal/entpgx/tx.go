package entpgx

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	errRowsOpen    = errors.New("entpgx: the rows of the statement before are still open: read them to their end or close them")
	errRolledBack  = errors.New("entpgx: the transaction was rolled back: a statement in it had failed")
	errInterrupted = retryable{errors.New("entpgx: the transaction was rolled back: its connection was lost")}
)

// ErrUnanswered is the error of a Commit that was sent and whose answer was lost: whether the transaction was
// committed is unknown.
var ErrUnanswered = errors.New("entpgx: whether the transaction was committed is unknown")

// lost is the error of a Commit whose answer was lost. pgconn itself calls that "conn closed" and safe to retry,
// as if nothing had been sent.
type lost struct{ error }

func (l lost) Error() string   { return ErrUnanswered.Error() + ": " + l.error.Error() }
func (l lost) Unwrap() []error { return []error{ErrUnanswered, l.error} }
func (lost) SafeToRetry() bool { return false }

// retryable is the error of a transaction that was rolled back through no fault of its own: all of it
// may be run again. pgconn.SafeToRetry finds it.
type retryable struct{ error }

// SafeToRetry is true.
func (retryable) SafeToRetry() bool { return true }

// endTimeout bounds how long a transaction waits for its end on a connection that may be dead.
const endTimeout = 30 * time.Second

const (
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// Tx is one transaction, in which statements of several scopes may take part, one after the other.
// The server hears of it with the first of them.
type Tx struct {
	db    *DB
	begin string
	anew  bool
	ctx   context.Context //nolint:containedctx // what it began with, for Options.Unanswered

	mu      sync.Mutex  // the context's end comes from another goroutine
	stop    func() bool // of watching the context that the transaction began with
	conn    *pgxpool.Conn
	session *session
	begun   bool
	scope   *Scope // what the transaction is in now; nil if that isn't known
	roled   bool   // one of its scopes had a role
	open    *rows
	over    error // why it takes no more statements; nil while it does
}

type anewKey struct{}

// Anew returns a context for the second attempt at a transaction that could be run again
// (pgconn.SafeToRetry): one begun with it prepares every statement within itself, so it can't fail because
// the tables have changed since.
func Anew(ctx context.Context) context.Context { return context.WithValue(ctx, anewKey{}, true) }

// Begin begins a transaction and takes a connection for it. When ctx ends, it is rolled back.
func (db *DB) Begin(ctx context.Context, options *sql.TxOptions) (*Tx, error) {
	return db.beginIn(ctx, Scope{}, options)
}

// beginIn is Begin for a transaction that begins in a scope.
func (db *DB) beginIn(ctx context.Context, scope Scope, options *sql.TxOptions) (*Tx, error) {
	begin, err := beginWith(options)
	if err != nil {
		return nil, err
	}
	conn, s, err := db.acquire(ctx, scope)
	if err != nil {
		return nil, db.options.Translate(err)
	}
	t := &Tx{db: db, begin: begin, anew: ctx.Value(anewKey{}) != nil, ctx: ctx, conn: conn, session: s}
	t.mu.Lock() // ctx may end at once
	defer t.mu.Unlock()
	t.stop = context.AfterFunc(ctx, func() { _ = t.finish(rollback, fmt.Errorf("%w: %w", sql.ErrTxDone, ctx.Err())) })
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
	return t.db.options.Translate(t.finish(commit, sql.ErrTxDone))
}

// Rollback undoes all of the transaction. It does nothing after the end.
func (t *Tx) Rollback() error { return t.db.options.Translate(t.finish(rollback, sql.ErrTxDone)) }

// finish ends the transaction; over is what later statements are told.
func (t *Tx) finish(command string, over error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over != nil {
		return t.over
	}
	t.over = over
	t.stop()
	if open := t.open; open != nil {
		t.mu.Unlock() // which the rows take
		_ = open.Close()
		t.mu.Lock()
	}
	return t.end(command)
}

// end ends the transaction with a command and lets go of the connection. The lock is held.
func (t *Tx) end(command string) error {
	defer t.db.release(t.conn, t.session)
	switch {
	case t.conn.Conn().IsClosed() && command == rollback:
		return nil // the server has rolled back
	case t.conn.Conn().IsClosed():
		return errInterrupted
	case !t.begun:
		return nil
	}
	// Not under the transaction's context: it may be what has ended.
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	results := t.conn.Conn().PgConn().Exec(ctx, command)
	var tag pgconn.CommandTag
	for results.NextResult() {
		tag, _ = results.ResultReader().Close()
	}
	if err := results.Close(); err != nil && command == commit && unanswered(err) {
		if t.db.options.Unanswered != nil {
			t.db.options.Unanswered(t.ctx)
		}
		return lost{err}
	} else if err != nil {
		return err
	}
	if tag.String() != command {
		return errRolledBack
	}
	return nil
}

// unanswered reports whether the server has not said what came of the statement that it was sent: what it says
// when it ends the connection is no answer.
func unanswered(err error) bool {
	var pg *pgconn.PgError
	return !errors.As(err, &pg) || cmp.Or(pg.SeverityUnlocalized, pg.Severity) != "ERROR"
}

// run sends one statement in a scope.
func (t *Tx) run(ctx context.Context, scope Scope, query string, args []any) (*rows, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := t.call(scope, query, args)
	if err != nil {
		return nil, t.db.options.Translate(err)
	}
	r, err := c.send(ctx)
	t.settle(scope, r)
	if err != nil && stale(err) {
		c.forget()
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "0A000" && stale(err) {
		err = retryable{fmt.Errorf("entpgx: the tables have changed since the statement was prepared; it is forgotten, run the transaction again: %s", pg.Message)}
	}
	if err != nil {
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
	case t.over != nil:
		return nil, t.over
	case t.open != nil:
		return nil, errRowsOpen
	}
	c := &call{db: t.db, conn: t.conn, session: t.session, scope: scope, roled: t.roled, anew: t.anew, sql: query, args: args}
	t.roled = t.roled || scope.Role != ""
	if !t.begun {
		c.begin = t.begin
	}
	// In a failed transaction a ROLLBACK alone is heard, and only with nothing before it.
	c.enter = (t.scope == nil || *t.scope != scope) && !t.failed()
	return c, nil
}

func (t *Tx) failed() bool { return t.begun && t.conn.Conn().PgConn().TxStatus() == 'E' }

// settle notes what a statement has done to the transaction; r is nil if it failed.
func (t *Tx) settle(scope Scope, r *rows) {
	t.begun, t.scope = true, &scope
	if r != nil && !r.done {
		return // the server goes on answering
	}
	t.begun = t.conn.Conn().PgConn().TxStatus() != 'I' // the statement may have been a COMMIT
	// Back at a savepoint the settings are what they were there (PostgreSQL manual, SET).
	if r == nil || !t.begun || r.tag.String() == rollback {
		t.scope = nil
	}
}

// astray notes that a statement whose text is not ent's has run, which may have set another scope.
func (t *Tx) astray() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scope = nil
}

// closed is what the open rows call when they are closed.
func (t *Tx) closed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = nil
}

// script runs several statements at once, without arguments (the simple protocol).
func (t *Tx) script(ctx context.Context, scope Scope, script string) (sql.Result, error) {
	t.mu.Lock()
	failed := t.over == nil && t.failed()
	t.mu.Unlock()
	if failed { // one ROLLBACK TO, whose scope isn't known before it has run
		return drain(raw{scoped{t, scope}}.run(ctx, script, nil))
	}
	if _, err := drain(t.run(ctx, scope, "SELECT 1", nil)); err != nil { // begins, and enters the scope
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over != nil {
		return nil, t.db.options.Translate(t.over)
	}
	results := t.conn.Conn().PgConn().Exec(ctx, script)
	var affected driver.RowsAffected
	for results.NextResult() {
		if tag, err := results.ResultReader().Close(); err == nil {
			affected = driver.RowsAffected(tag.RowsAffected())
		}
	}
	err := results.Close()
	t.begun, t.scope = t.conn.Conn().PgConn().TxStatus() != 'I', nil // whatever the script has done
	return affected, t.db.options.Translate(err)
}

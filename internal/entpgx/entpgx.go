// Package entpgx is an ent driver natively over pgx, whose every statement runs in a scope: a
// search_path and, where wanted, a role.
//
// The scope is set with set_config(..., is_local => true) (PostgreSQL manual, 9.27.1) under the
// same Sync as the statement, so both are one transaction and one round trip: the scope ends with
// the statement, and a connection carries nothing to its next user, whatever happened before. There
// must be no Sync between the two: a cancel that hit the first alone would let the second run in
// another scope.
package entpgx

import (
	"context"
	"database/sql"
	"fmt"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Scope is what statements run under.
type Scope struct {
	SearchPath string // as PostgreSQL reads it, identifiers quoted
	Role       string // "" for the login's own
}

// Options are how a DB works.
type Options struct {
	// Translate sees every error of the database before ent does; nil leaves them as they are.
	Translate func(error) error
	// Unanswered, if any, is told the context of a transaction whose Commit was sent and whose answer was lost:
	// whether it was committed is unknown.
	Unanswered func(context.Context)
	// MaxScopes retires a connection once it has served that many scopes: PostgreSQL keeps what a
	// backend learned of each schema until the backend ends. Zero never retires one.
	MaxScopes int
}

// Pool is where connections come from.
type Pool interface {
	// Acquire returns a connection for work under a search_path ("" if that isn't known yet). One that
	// has worked there before is worth more: it knows the tables and has the statements prepared.
	Acquire(ctx context.Context, searchPath string) (*pgxpool.Conn, error)
	// Release takes back a connection, which may be closed.
	Release(conn *pgxpool.Conn)
}

// DB runs statements on the connections of a pool.
type DB struct {
	pool    Pool
	options Options
	shapes  *shapes
	facade  *sql.DB
	path    string // the statement that sets a scope without a role
}

// New returns a DB over pool, which stays the caller's to close.
func New(pool Pool, options Options) *DB {
	translate := options.Translate
	options.Translate = func(err error) error {
		if err == nil || translate == nil {
			return err
		}
		return translate(err)
	}
	return &DB{pool: pool, options: options, shapes: &shapes{}, facade: sql.OpenDB(facade{}), path: pathSQL}
}

// On returns a DB over another pool that shares with this one what was learned of statements. It is
// cheap, and ends with this one.
func (db *DB) On(pool Pool) *DB {
	other := *db
	other.pool = pool
	return &other
}

// Close lets go of what New made, not of the pool.
func (db *DB) Close() error { return db.facade.Close() }

// Driver returns ent's driver for one scope. It is cheap: keep one for each.
func (db *DB) Driver(scope Scope) *Driver { return &Driver{db, scope} }

// Driver is ent's dialect.Driver in one scope.
type Driver struct {
	db    *DB
	scope Scope
}

var _ dialect.Driver = (*Driver)(nil)

// Dialect returns the dialect's name.
func (*Driver) Dialect() string { return dialect.Postgres }

// Close does nothing: the connections belong to the DB.
func (*Driver) Close() error { return nil }

// Tx begins a transaction in the scope.
func (d *Driver) Tx(ctx context.Context) (dialect.Tx, error) { return d.BeginTx(ctx, nil) }

// BeginTx begins a transaction in the scope, with options. It takes a connection and the server
// hears of it with the first statement. When ctx ends, the transaction is rolled back.
func (d *Driver) BeginTx(ctx context.Context, options *sql.TxOptions) (dialect.Tx, error) {
	t, err := d.db.beginIn(ctx, d.scope, options)
	if err != nil {
		return nil, err
	}
	return scoped{t, d.scope}, nil
}

// Exec runs one statement in a transaction of its own.
func (d *Driver) Exec(ctx context.Context, query string, args, v any) error {
	return exec(ctx, d, query, args, v)
}

// Query runs one statement in a transaction of its own, which ends with its rows.
func (d *Driver) Query(ctx context.Context, query string, args, v any) error {
	return queryInto(ctx, d, query, args, v)
}

// ExecContext is Exec in database/sql's form. Without arguments, query may be several statements.
func (d *Driver) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if len(args) > 0 {
		return drain(d.run(ctx, query, args))
	}
	t, err := d.db.beginIn(ctx, d.scope, nil)
	if err != nil {
		return nil, err
	}
	result, err := t.script(ctx, d.scope, query)
	if err != nil {
		_ = t.Rollback()
		return nil, err
	}
	return result, t.Commit()
}

// QueryContext is Query in database/sql's form.
func (d *Driver) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.db.sqlRows(ctx, d, query, args)
}

// run sends one statement and returns its rows, the first of which has been read.
func (d *Driver) run(ctx context.Context, query string, args []any) (*rows, error) {
	r, err := d.db.runAlone(ctx, d.scope, query, args)
	return r, d.db.options.Translate(err)
}

// runner is whoever runs statements: a driver, or a transaction.
type runner interface {
	run(ctx context.Context, query string, args []any) (*rows, error)
}

func exec(ctx context.Context, on runner, query string, args, v any) error {
	argv, ok := args.([]any)
	if !ok {
		return fmt.Errorf("entpgx: arguments are %T, not []any", args)
	}
	result, err := drain(on.run(ctx, query, argv))
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case *sql.Result:
		*v = result
	default:
		return fmt.Errorf("entpgx: a result can't be put into %T", v)
	}
	return nil
}

func queryInto(ctx context.Context, on runner, query string, args, v any) error {
	argv, ok := args.([]any)
	if !ok {
		return fmt.Errorf("entpgx: arguments are %T, not []any", args)
	}
	into, ok := v.(*entsql.Rows)
	if !ok {
		return fmt.Errorf("entpgx: rows can't be put into %T", v)
	}
	r, err := on.run(ctx, query, argv)
	if err != nil {
		return err
	}
	into.ColumnScanner = r
	return nil
}

// drain reads rows to their end and returns how many the statement affected.
func drain(r *rows, err error) (sql.Result, error) {
	if err != nil {
		return nil, err
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return r.affected(), nil
}

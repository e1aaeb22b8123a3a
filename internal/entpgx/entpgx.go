// Package entpgx is an ent driver over pgx whose every statement runs in one PostgreSQL schema.
//
// The schema is the search_path of the transaction that the statement runs in, set with
// set_config(..., is_local => true) (PostgreSQL manual, 9.27.1): it ends with the transaction, so
// a connection carries nothing to its next user, whatever happened before.
package entpgx

import (
	"context"
	"database/sql"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
)

// Driver is ent's dialect.Driver for one schema. It is cheap: make one for each schema.
type Driver struct {
	db         *sql.DB
	searchPath string
	translate  func(error) error
}

var _ dialect.Driver = (*Driver)(nil)

// New returns a driver for the given schema over db. Every error of the database passes through
// translate before ent sees it.
func New(db *sql.DB, schema string, translate func(error) error) *Driver {
	return &Driver{db, quote(schema), translate}
}

func quote(schema string) string { return `"` + strings.ReplaceAll(schema, `"`, `""`) + `"` }

// Dialect returns the dialect's name.
func (*Driver) Dialect() string { return dialect.Postgres }

// Close does nothing: the database belongs to whoever opened it.
func (*Driver) Close() error { return nil }

// Tx begins a transaction in the schema.
func (d *Driver) Tx(ctx context.Context) (dialect.Tx, error) { return d.BeginTx(ctx, nil) }

// BeginTx begins a transaction in the schema, with options.
func (d *Driver) BeginTx(ctx context.Context, options *sql.TxOptions) (dialect.Tx, error) {
	t, err := Begin(ctx, d.db, options, d.translate)
	if err != nil {
		return nil, err
	}
	return &scoped{t, d.searchPath}, nil
}

// Exec runs one statement in a transaction of its own.
func (d *Driver) Exec(ctx context.Context, query string, args, v any) error {
	return d.alone(ctx, func(t *scoped) error { return t.Exec(ctx, query, args, v) })
}

// ExecContext is Exec in database/sql's form.
func (d *Driver) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = d.alone(ctx, func(t *scoped) error {
		result, err = t.ExecContext(ctx, query, args...)
		return err
	})
	return result, err
}

func (d *Driver) alone(ctx context.Context, do func(*scoped) error) error {
	t, err := Begin(ctx, d.db, nil, d.translate)
	if err != nil {
		return err
	}
	if err := do(&scoped{t, d.searchPath}); err != nil {
		_ = t.Rollback()
		return err
	}
	return t.Commit()
}

// Query runs one statement in a transaction of its own, which ends with its rows.
func (d *Driver) Query(ctx context.Context, query string, args, v any) error {
	t, err := Begin(ctx, d.db, nil, d.translate)
	if err != nil {
		return err
	}
	if err := (&scoped{t, d.searchPath}).Query(ctx, query, args, v); err != nil {
		_ = t.Rollback()
		return err
	}
	rows := v.(*entsql.Rows)
	rows.ColumnScanner = &ownRows{ColumnScanner: rows.ColumnScanner, tx: t}
	return nil
}

// ownRows are the rows of a statement with a transaction of its own. It commits when the last row
// was read, not in Close, whose error callers drop: a failed commit must be seen.
type ownRows struct {
	entsql.ColumnScanner
	tx   *Tx
	done bool
	err  error
}

func (r *ownRows) Next() bool {
	if r.ColumnScanner.Next() {
		return true
	}
	if !r.done && r.ColumnScanner.Err() == nil {
		r.done = true
		if r.err = r.tx.translate(r.ColumnScanner.Close()); r.err == nil {
			r.err = r.tx.Commit()
		}
	}
	return false
}

func (r *ownRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.tx.translate(r.ColumnScanner.Err())
}

func (r *ownRows) Close() error {
	if r.done {
		return r.err
	}
	r.done = true
	closed := r.ColumnScanner.Close()
	if r.ColumnScanner.Err() != nil || closed != nil {
		_ = r.tx.Rollback()
		return r.tx.translate(closed)
	}
	return r.tx.Commit()
}

// Tx is one transaction, in which statements of several schemas may take part.
type Tx struct {
	sqlTx      *sql.Tx
	conn       entsql.Conn
	translate  func(error) error
	searchPath string // what it is now, "" before the first statement
}

// Begin begins a transaction on db. Every error of the database passes through translate.
func Begin(ctx context.Context, db *sql.DB, options *sql.TxOptions, translate func(error) error) (*Tx, error) {
	sqlTx, err := db.BeginTx(ctx, options)
	if err != nil {
		return nil, translate(err)
	}
	return &Tx{sqlTx: sqlTx, conn: entsql.Conn{ExecQuerier: sqlTx}, translate: translate}, nil
}

// In returns a driver whose statements run in the given schema, within the transaction. Its own
// transactions are parts of this one: they neither commit nor roll back.
func (t *Tx) In(schema string) dialect.Driver { return &within{scoped{t, quote(schema)}} }

// Commit commits.
func (t *Tx) Commit() error { return t.translate(t.sqlTx.Commit()) }

// Rollback undoes all of the transaction.
func (t *Tx) Rollback() error { return t.translate(t.sqlTx.Rollback()) }

// enter makes searchPath that of the next statements.
func (t *Tx) enter(ctx context.Context, searchPath string) error {
	if t.searchPath == searchPath {
		return nil
	}
	if _, err := t.sqlTx.ExecContext(ctx, `SELECT set_config('search_path', $1, true)`, searchPath); err != nil {
		return t.translate(err)
	}
	t.searchPath = searchPath
	return nil
}

// scoped is a transaction as statements of one schema see it.
type scoped struct {
	*Tx
	searchPath string
}

func (s *scoped) Exec(ctx context.Context, query string, args, v any) error {
	if err := s.enter(ctx, s.searchPath); err != nil {
		return err
	}
	return s.translate(s.conn.Exec(ctx, query, args, v))
}

func (s *scoped) Query(ctx context.Context, query string, args, v any) error {
	if err := s.enter(ctx, s.searchPath); err != nil {
		return err
	}
	return s.translate(s.conn.Query(ctx, query, args, v))
}

func (s *scoped) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.enter(ctx, s.searchPath); err != nil {
		return nil, err
	}
	result, err := s.sqlTx.ExecContext(ctx, query, args...)
	return result, s.translate(err)
}

func (s *scoped) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := s.enter(ctx, s.searchPath); err != nil {
		return nil, err
	}
	rows, err := s.sqlTx.QueryContext(ctx, query, args...)
	return rows, s.translate(err)
}

// within is a driver whose transactions are parts of one that is open already.
type within struct{ scoped }

func (*within) Dialect() string { return dialect.Postgres }
func (*within) Close() error    { return nil }

func (w *within) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(w), nil }

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
	return &Driver{db, `"` + strings.ReplaceAll(schema, `"`, `""`) + `"`, translate}
}

// Dialect returns the dialect's name.
func (*Driver) Dialect() string { return dialect.Postgres }

// Close does nothing: the database belongs to whoever opened it.
func (*Driver) Close() error { return nil }

// Tx begins a transaction in the schema.
func (d *Driver) Tx(ctx context.Context) (dialect.Tx, error) { return d.BeginTx(ctx, nil) }

// BeginTx begins a transaction in the schema, with options.
func (d *Driver) BeginTx(ctx context.Context, options *sql.TxOptions) (dialect.Tx, error) {
	t, err := d.begin(ctx, options)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (d *Driver) begin(ctx context.Context, options *sql.TxOptions) (*tx, error) {
	sqlTx, err := d.db.BeginTx(ctx, options)
	if err != nil {
		return nil, d.translate(err)
	}
	if _, err := sqlTx.ExecContext(ctx, `SELECT set_config('search_path', $1, true)`, d.searchPath); err != nil {
		_ = sqlTx.Rollback()
		return nil, d.translate(err)
	}
	return &tx{entsql.Conn{ExecQuerier: sqlTx}, sqlTx, d.translate}, nil
}

// Exec runs one statement in a transaction of its own.
func (d *Driver) Exec(ctx context.Context, query string, args, v any) error {
	return d.alone(ctx, func(t *tx) error { return t.Exec(ctx, query, args, v) })
}

// ExecContext is Exec in database/sql's form.
func (d *Driver) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = d.alone(ctx, func(t *tx) error {
		result, err = t.ExecContext(ctx, query, args...)
		return err
	})
	return result, err
}

func (d *Driver) alone(ctx context.Context, do func(*tx) error) error {
	t, err := d.begin(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(t); err != nil {
		_ = t.Rollback()
		return err
	}
	return t.Commit()
}

// Query runs one statement in a transaction of its own, which ends with its rows.
func (d *Driver) Query(ctx context.Context, query string, args, v any) error {
	t, err := d.begin(ctx, nil)
	if err != nil {
		return err
	}
	if err := t.Query(ctx, query, args, v); err != nil {
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
	tx   *tx
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

type tx struct {
	conn      entsql.Conn
	sqlTx     *sql.Tx
	translate func(error) error
}

func (t *tx) Exec(ctx context.Context, query string, args, v any) error {
	return t.translate(t.conn.Exec(ctx, query, args, v))
}

func (t *tx) Query(ctx context.Context, query string, args, v any) error {
	return t.translate(t.conn.Query(ctx, query, args, v))
}

func (t *tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := t.sqlTx.ExecContext(ctx, query, args...)
	return result, t.translate(err)
}

func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.sqlTx.QueryContext(ctx, query, args...)
	return rows, t.translate(err)
}

func (t *tx) Commit() error   { return t.translate(t.sqlTx.Commit()) }
func (t *tx) Rollback() error { return t.translate(t.sqlTx.Rollback()) }

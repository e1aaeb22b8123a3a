package entpgx

import (
	"context"
	"database/sql"
	"errors"

	"entgo.io/ent/dialect"
)

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
	return drain(raw{s}.run(ctx, query, args))
}

func (s scoped) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.db.sqlRows(ctx, raw{s}, query, args)
}

// raw runs statements whose text is not ent's.
type raw struct{ scoped }

func (r raw) run(ctx context.Context, query string, args []any) (*rows, error) {
	defer r.astray()
	return r.scoped.run(ctx, query, args)
}

// within is a driver whose transactions are parts of one that is open already.
type within struct{ scoped }

func (within) Dialect() string { return dialect.Postgres }
func (within) Close() error    { return nil }

func (w within) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(w), nil }

// BeginTx refuses options: the transaction has begun without them.
func (w within) BeginTx(ctx context.Context, options *sql.TxOptions) (dialect.Tx, error) {
	if options != nil && *options != (sql.TxOptions{}) {
		return nil, errors.New("entpgx: a transaction within another can't have options of its own")
	}
	return w.Tx(ctx)
}

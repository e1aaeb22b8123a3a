package entpgx

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// facade makes *sql.Rows, which only database/sql can, of the rows of a runner. It is a driver whose
// connections are nothing: the runner comes with the context of each query.
type facade struct{}

type runnerKey struct{}

// sqlRows runs a query and returns its rows in database/sql's form.
func (db *DB) sqlRows(ctx context.Context, on runner, query string, args []any) (*sql.Rows, error) {
	return db.facade.QueryContext(context.WithValue(ctx, runnerKey{}, on), query, args...)
}

func (facade) Connect(context.Context) (driver.Conn, error) { return facadeConn{}, nil }
func (facade) Driver() driver.Driver                        { return facade{} }
func (facade) Open(string) (driver.Conn, error)             { return facadeConn{}, nil }

type facadeConn struct{}

var errFacade = errors.New("entpgx: only queries go this way")

func (facadeConn) Prepare(string) (driver.Stmt, error)      { return nil, errFacade }
func (facadeConn) Close() error                             { return nil }
func (facadeConn) Begin() (driver.Tx, error)                { return nil, errFacade }
func (facadeConn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (facadeConn) QueryContext(ctx context.Context, query string, named []driver.NamedValue) (driver.Rows, error) {
	on, ok := ctx.Value(runnerKey{}).(runner)
	if !ok {
		return nil, errFacade
	}
	args := make([]any, len(named))
	for i, n := range named {
		args[i] = n.Value
	}
	r, err := on.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return facadeRows{r}, nil
}

type facadeRows struct{ *rows }

// Columns returns the columns' names.
func (r facadeRows) Columns() []string {
	names, _ := r.rows.Columns()
	return names
}

// Next reads the next row.
func (r facadeRows) Next(into []driver.Value) error {
	if !r.rows.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	dest := make([]any, len(into))
	for i := range dest {
		dest[i] = new(any)
	}
	if err := r.Scan(dest...); err != nil {
		return err
	}
	for i := range dest {
		into[i] = *dest[i].(*any) //nolint:forcetypeassert // made above
	}
	return nil
}

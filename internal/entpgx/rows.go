package entpgx

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

var errClosed = errors.New("entpgx: the rows are closed")

// rows are the rows of one statement, as ent reads them. They hold the connection until they are
// read to their end or closed.
type rows struct {
	mu        sync.Mutex // the context's end comes from another goroutine
	stop      func() bool
	reader    *pgconn.ResultReader
	end       func() error
	release   func()
	translate func(error) error
	fields    []pgconn.FieldDescription
	types     *pgtype.Map
	affected  driver.RowsAffected
	ahead     bool // the next row has been read already
	done      bool
	err       error
}

// watch ends the rows when ctx does, for the sake of the connection: whoever asked for them may have
// gone without closing them.
func (r *rows) watch(ctx context.Context) {
	if ctx.Done() != nil {
		r.stop = context.AfterFunc(ctx, func() { _ = r.Close() })
	}
}

// Next goes to the next row.
func (r *rows) Next() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.done:
		return false
	case r.ahead:
		r.ahead = false
		return true
	case r.reader.NextRow():
		return true
	}
	r.finish()
	return false
}

// finish reads what is left of the answer, and lets go of the connection. The lock is held.
func (r *rows) finish() {
	tag, err := r.reader.Close()
	if ending := r.end(); err == nil {
		err = ending
	}
	r.affected, r.err, r.done = driver.RowsAffected(tag.RowsAffected()), r.translate(err), true
	if r.stop != nil {
		r.stop()
	}
	r.release()
}

// Close reads the rows to their end. It may be called again.
func (r *rows) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.finish()
	}
	return r.err
}

// Err returns the error that ended the rows, if one did.
func (r *rows) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Columns returns the columns' names.
func (r *rows) Columns() ([]string, error) {
	names := make([]string, len(r.fields))
	for i, f := range r.fields {
		names[i] = f.Name
	}
	return names, nil
}

// ColumnTypes fails: database/sql has no way to make one. ent then scans into any.
func (*rows) ColumnTypes() ([]*sql.ColumnType, error) {
	return nil, errors.New("entpgx: there are no column types")
}

// NextResultSet reports that there is no other.
func (*rows) NextResultSet() bool { return false }

// Scan reads the row into dest.
func (r *rows) Scan(dest ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return errors.Join(errClosed, r.err)
	}
	values := r.reader.Values()
	if len(dest) != len(values) {
		return fmt.Errorf("entpgx: scanning %d columns into %d", len(values), len(dest))
	}
	for i, d := range dest {
		if err := decode(r.types, &r.fields[i], values[i], d); err != nil {
			return fmt.Errorf("entpgx: reading column %s: %w", r.fields[i].Name, err)
		}
	}
	return nil
}

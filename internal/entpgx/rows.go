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

var (
	errClosed = errors.New("entpgx: the rows are closed")
	errNoRow  = errors.New("entpgx: Scan without a row: Next comes first")
)

// rows are the rows of one statement, as ent reads them. They hold the connection until they are
// read to their end or closed.
//
// The first row is read before anybody asks, and so is the one behind it: most results have one row,
// and then the connection is free and the statement's fate known before ent sees that row.
type rows struct {
	mu        sync.Mutex // the context's end comes from another goroutine
	stop      func() bool
	reader    *pgconn.ResultReader
	end       func() error
	release   func()
	translate func(error) error
	fields    []pgconn.FieldDescription // ours: the reader's own are overwritten by the connection's next user
	types     *pgtype.Map
	tag       pgconn.CommandTag
	first     [][]byte // a copy of the first row, until Next takes it
	second    bool     // the reader stands on the second row, which Next has not taken yet
	row       [][]byte // where Next has gone; nil before the first and behind the last
	done      bool     // the answer is read and the connection gone
	closed    bool
	err       error
}

// begin reads the first row and looks behind it.
func (r *rows) begin() error {
	if r.reader.NextRow() {
		r.first = clone(r.reader.Values())
		r.second = r.reader.NextRow()
	}
	if !r.second {
		r.finish()
	}
	return r.err
}

// clone copies a row out of the connection's buffer.
func clone(row [][]byte) [][]byte {
	size := 0
	for _, value := range row {
		size += len(value)
	}
	buffer, copied := make([]byte, 0, size), make([][]byte, len(row))
	for i, value := range row {
		if value != nil {
			buffer = append(buffer, value...)
			copied[i] = buffer[len(buffer)-len(value):]
		}
	}
	return copied
}

// watch ends the rows when ctx does, for the sake of the connection: whoever asked for them may have
// gone without closing them.
func (r *rows) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	r.mu.Lock() // ctx may end at once
	defer r.mu.Unlock()
	r.stop = context.AfterFunc(ctx, func() { _ = r.Close() })
}

// Next goes to the next row.
func (r *rows) Next() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.first != nil:
		r.row, r.first = r.first, nil
		return true
	case r.done:
	case r.second, r.reader.NextRow():
		r.second = false
		r.row = r.reader.Values()
		return true
	default:
		r.finish()
	}
	r.row = nil
	return false
}

// finish reads what is left of the answer, and lets go of the connection. The lock is held.
func (r *rows) finish() {
	tag, err := r.reader.Close()
	if ending := r.end(); err == nil {
		err = ending
	}
	r.tag, r.err, r.done = tag, r.translate(err), true
	if r.stop != nil {
		r.stop()
	}
	r.release()
}

// Close reads the rows to their end. It may be called again.
func (r *rows) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.row, r.closed = nil, nil, true
	if !r.done {
		r.finish()
	}
	return r.err
}

// affected returns how many rows the statement changed. The rows are closed.
func (r *rows) affected() driver.RowsAffected { return driver.RowsAffected(r.tag.RowsAffected()) }

// Err returns the error that ended the rows, if one did.
func (r *rows) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Columns returns the columns' names.
func (r *rows) Columns() ([]string, error) {
	names := make([]string, len(r.fields))
	for i := range r.fields {
		names[i] = r.fields[i].Name
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
	switch {
	case r.row == nil && (r.closed || r.done):
		return errors.Join(errClosed, r.err)
	case r.row == nil:
		return errNoRow
	case len(dest) != len(r.row):
		return fmt.Errorf("entpgx: scanning %d columns into %d", len(r.row), len(dest))
	}
	for i, d := range dest {
		if err := decode(r.types, &r.fields[i], r.row[i], d); err != nil {
			return fmt.Errorf("entpgx: reading column %s: %w", r.fields[i].Name, err)
		}
	}
	return nil
}

// Package keyset pages through an ent query in a stable order: a page begins after the last row
// of the page before it, so rows that come and go meanwhile are neither repeated nor skipped.
package keyset

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Page is what a caller asks of a list.
type Page struct {
	Limit  int    // rows; at least 1
	Cursor string // where the page before ended, "" for the first
	Sort   string // a name of Order, with - before it for descending; "" for the first of Order
}

// Key is a column to sort by. It must not be nullable.
type Key[R any] struct {
	Name  string // as callers know it
	Value func(*R) string
}

// Order is what a list may be sorted by: a column's name for callers and in the table, and its
// value in a row, in a form that PostgreSQL reads. Rows of equal value are sorted by id.
type Order[R any] struct {
	Keys []Key[R]
	ID   func(*R) uuid.UUID
}

// Query is the part of ent's query builders that List uses.
type Query[Q any, P, O ~func(*sql.Selector), R any] interface {
	Where(...P) Q
	Order(...O) Q
	Limit(int) Q
	All(context.Context) ([]*R, error)
}

// position is the content of a cursor.
type position struct {
	Sort  string    `json:"s"`
	Value string    `json:"v"`
	ID    uuid.UUID `json:"i"`
}

// List returns one page of a query and the cursor of the next, "" after the last. A cursor that is
// not one of this list and order, or an unknown sort, is InvalidInput.
func List[Q Query[Q, P, O, R], P, O ~func(*sql.Selector), R any](ctx context.Context, query Q, order Order[R], page Page) ([]*R, string, error) {
	name, descending := strings.CutPrefix(page.Sort, "-")
	if page.Sort == "" {
		name = order.Keys[0].Name
	}
	at := slices.IndexFunc(order.Keys, func(k Key[R]) bool { return k.Name == name })
	if at < 0 {
		return nil, "", fault.Invalid("query.sort", "This list can't be sorted by that.")
	}
	key := order.Keys[at]
	foreign := fault.Invalid("query.cursor", "This is no cursor of this list in this order.")
	if page.Cursor != "" {
		after, err := decode(page.Cursor)
		if err != nil || after.Sort != page.Sort {
			return nil, "", foreign
		}
		query = query.Where(P(beyond(key.Name, descending, after)))
	}
	rows, err := query.Order(O(by(key.Name, descending))).Limit(page.Limit + 1).All(ctx)
	if page.Cursor != "" && fault.Is(err, fault.InvalidInput) { // its value is none of the column's type
		return nil, "", foreign.Because(err)
	}
	if err != nil || len(rows) <= page.Limit {
		return rows, "", err
	}
	rows = rows[:page.Limit]
	last := rows[page.Limit-1]
	return rows, encode(position{page.Sort, key.Value(last), order.ID(last)}), nil
}

func by(column string, descending bool) func(*sql.Selector) {
	direction := sql.Asc
	if descending {
		direction = sql.Desc
	}
	return func(s *sql.Selector) { s.OrderBy(direction(s.C(column)), direction(s.C("id"))) }
}

func beyond(column string, descending bool, after position) func(*sql.Selector) {
	return func(s *sql.Selector) {
		compare := sql.CompositeGT
		if descending {
			compare = sql.CompositeLT
		}
		s.Where(compare([]string{s.C(column), s.C("id")}, after.Value, after.ID))
	}
}

func encode(p position) string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // two strings and a UUID always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func decode(cursor string) (p position, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// Time gives a time in the form of a Key's value.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Date gives a day in the form of a Key's value.
func Date(t time.Time) string { return t.Format(time.DateOnly) }

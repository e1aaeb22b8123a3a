package roster

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
)

// chunkSize is how many rows a statement writes: well under PostgreSQL's 65,535 parameters.
const chunkSize = 1000

// Counts are what an import does to one table.
type Counts struct {
	Table     string `json:"table"`
	Created   int    `json:"created"`
	Updated   int    `json:"updated"`
	Removed   int    `json:"removed"` // links to a teacher or a contact whom the export has replaced by another
	Unchanged int    `json:"unchanged"`
}

// field is a column that the import owns and its value in a row.
type field struct {
	column string
	value  any
}

// builder is an ent builder of a new row.
type builder[M mutation] interface{ Mutation() M }

type mutation interface {
	SetID(id uuid.UUID)
	SetField(name string, value ent.Value) error
}

// table says how rows of type E are read, compared and written.
type table[E, B any] struct {
	name string
	load func(context.Context) ([]*E, error)
	id   func(*E) *uuid.UUID
	// keys are the row's source id, if it has one, and what else makes it unique. A row that was
	// typed in by hand, or is known by an id that the export doesn't use, is found by the latter.
	keys   func(*E) (source *string, natural string)
	fields func(*E) []field
	keep   func(old, wanted *E) // brings into wanted what the import must not take from old
	create func() B             // with what the import sets at creation and leaves alone later
	save   func(context.Context, []B, ...sql.ConflictOption) error
	stale  func(*E) bool // a row that is to go if it isn't wanted; nil where none goes
	remove func(context.Context, []uuid.UUID) error
}

// sync makes the table hold the wanted rows and gives each wanted row its id.
func sync[E any, B builder[M], M mutation](ctx context.Context, w *writer, t table[E, B], wanted []*E) error {
	existing, err := t.load(ctx)
	if err != nil {
		return fmt.Errorf("reading the %s: %w", t.name, err)
	}
	counts := Counts{Table: t.name}
	found := match(t, existing, wanted)
	var updates, creates []*E
	for i, row := range wanted {
		old := found[i]
		if old == nil {
			*t.id(row) = uuid.Must(uuid.NewV7())
			creates = append(creates, row)
			continue
		}
		*t.id(row) = *t.id(old)
		if t.keep != nil {
			t.keep(old, row)
		}
		if same(t.fields(old), t.fields(row)) {
			counts.Unchanged++
		} else {
			updates = append(updates, row)
		}
	}
	counts.Created, counts.Updated = len(creates), len(updates)
	w.step(t.name, counts.Unchanged)
	if counts.Removed, err = prune(ctx, w, t, existing, found); err != nil {
		return fmt.Errorf("removing %s: %w", t.name, err)
	}
	// Updates come first: a number that went from one row to another must be free by then.
	if err := write(ctx, w, t, append(updates, creates...)); err != nil {
		return fmt.Errorf("writing the %s: %w", t.name, err)
	}
	w.report = append(w.report, counts)
	return nil
}

// match finds the existing row of each wanted one, by source id and else by what makes it unique.
func match[E, B any](t table[E, B], existing, wanted []*E) []*E {
	bySource, byNatural := map[string]*E{}, map[string]*E{}
	for _, row := range existing {
		source, natural := t.keys(row)
		if source != nil {
			bySource[*source] = row
		}
		byNatural[natural] = row
	}
	found, taken := make([]*E, len(wanted)), map[*E]bool{}
	for i, row := range wanted {
		if source, _ := t.keys(row); source != nil && bySource[*source] != nil {
			found[i] = bySource[*source]
			taken[found[i]] = true
		}
	}
	for i, row := range wanted {
		_, natural := t.keys(row)
		if old := byNatural[natural]; found[i] == nil && natural != "" && old != nil && !taken[old] {
			found[i], taken[old] = old, true
		}
	}
	return found
}

// prune removes the stale rows that no wanted row has found.
func prune[E, B any](ctx context.Context, w *writer, t table[E, B], existing, found []*E) (int, error) {
	if t.stale == nil {
		return 0, nil
	}
	wanted := map[*E]bool{}
	for _, row := range found {
		wanted[row] = true
	}
	var ids []uuid.UUID
	for _, row := range existing {
		if !wanted[row] && t.stale(row) {
			ids = append(ids, *t.id(row))
		}
	}
	for chunk := ids; len(chunk) > 0 && !w.DryRun; chunk = chunk[min(chunkSize, len(chunk)):] {
		if err := t.remove(ctx, chunk[:min(chunkSize, len(chunk))]); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// write upserts rows by id. Of a row that is there, only the import's own columns change.
func write[E any, B builder[M], M mutation](ctx context.Context, w *writer, t table[E, B], rows []*E) error {
	for len(rows) > 0 {
		chunk := rows[:min(chunkSize, len(rows))]
		rows = rows[len(chunk):]
		if !w.DryRun {
			if err := upsert(ctx, t, chunk); err != nil {
				return err
			}
		}
		w.step(t.name, len(chunk))
	}
	return nil
}

func upsert[E any, B builder[M], M mutation](ctx context.Context, t table[E, B], rows []*E) error {
	builders := make([]B, len(rows))
	for i, row := range rows {
		builders[i] = t.create()
		m := builders[i].Mutation()
		m.SetID(*t.id(row))
		for _, f := range t.fields(row) {
			value := plain(f.value)
			if value == nil {
				continue
			}
			if err := m.SetField(f.column, value); err != nil {
				return err
			}
		}
	}
	owned := t.fields(rows[0])
	return t.save(ctx, builders, sql.ConflictColumns("id"), sql.ResolveWith(func(u *sql.UpdateSet) {
		for _, f := range owned {
			u.SetExcluded(f.column)
		}
		u.SetExcluded("updated_at")
	}))
}

func same(a, b []field) bool {
	for i := range a {
		x, y := plain(a[i].value), plain(b[i].value)
		if day, ok := x.(time.Time); ok {
			other, ok := y.(time.Time)
			if !ok || !day.Equal(other) {
				return false
			}
		} else if x != y {
			return false
		}
	}
	return true
}

// plain returns what a pointer points at, nil for a nil one.
func plain(value any) any {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Pointer {
		return value
	}
	if v.IsNil() {
		return nil
	}
	return v.Elem().Interface()
}

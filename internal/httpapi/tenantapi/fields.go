package tenantapi

import (
	"maps"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// Key is what every resource begins with.
type Key struct {
	ID uuid.UUID `json:"id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10" doc:"Given by the service; later ones are greater."`
}

func (k Key) id() uuid.UUID { return k.ID }

// Stamps are what every resource ends with.
type Stamps struct {
	CreatedAt time.Time `json:"created_at" example:"2026-09-01T08:30:00Z" doc:"When it was added."`
	UpdatedAt time.Time `json:"updated_at" example:"2026-09-01T08:30:00Z" doc:"When it was last changed."`
}

// stamps are in UTC: pgx reads times in the zone of the machine.
func stamps(created, updated time.Time) Stamps { return Stamps{created.UTC(), updated.UTC()} }

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

func (s Stamps) changed() time.Time { return s.UpdatedAt }

// TransformSchema says that what is shown is always complete: fields that are optional on the way in
// have a value, or null, on the way out.
func (Stamps) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Required = slices.Sorted(maps.Keys(s.Properties))
	return s
}

// put sets a field that may be absent, or clears it.
func put[T any](value *T, set func(T), unset func()) {
	if value == nil {
		unset()
		return
	}
	set(*value)
}

// optionalID is an id to filter by, if one is given.
type optionalID struct {
	id    uuid.UUID
	given bool
}

// UnmarshalText reads a UUID.
func (o *optionalID) UnmarshalText(text []byte) error {
	o.given = true
	return o.id.UnmarshalText(text)
}

// TransformSchema tells the document what an id looks like.
func (*optionalID) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Format, s.Examples = "uuid", []any{"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10"}
	return s
}

// byID filters by an id, if one is given.
func byID[P any](o optionalID, is func(uuid.UUID) P) []P {
	if !o.given {
		return nil
	}
	return []P{is(o.id)}
}

// by filters by a value, if one is given.
func by[V comparable, P any](value V, is func(V) P) []P {
	var none V
	if value == none {
		return nil
	}
	return []P{is(value)}
}

// byBool filters by a truth, if one is given.
func byBool[P any](o wire.OptionalBool, is func(bool) P) []P {
	value := o.Pointer()
	if value == nil {
		return nil
	}
	return []P{is(*value)}
}

// search finds the rows that have each word of a text in one column or another.
func search[P ~func(*sql.Selector)](text string, columns ...string) (where []P) {
	for word := range strings.FieldsSeq(text) {
		where = append(where, func(s *sql.Selector) {
			found := make([]*sql.Predicate, len(columns))
			for i, column := range columns {
				found[i] = sql.ContainsFold(s.C(column), word)
			}
			s.Where(sql.Or(found...))
		})
	}
	return where
}

// page reads what a list is asked for. Ids grow with time and are indexed, so they stand for created_at.
func page(in wire.PageInput, sort string) keyset.Page {
	return keyset.Page{Limit: in.Limit, Cursor: in.Cursor, Sort: strings.Replace(sort, "created_at", "id", 1)}
}

// order is the ways to sort a list: by the given keys, and by creation.
func order[R any](id func(*R) uuid.UUID, keys ...keyset.Key[R]) keyset.Order[R] {
	return keyset.Order[R]{ID: id, Keys: append(keys, key("id", func(row *R) string { return id(row).String() }))}
}

func key[R any](column string, value func(*R) string) keyset.Key[R] {
	return keyset.Key[R]{Name: column, Value: value}
}

// Package mixin holds what the schemas of both graphs share.
package mixin

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	entmixin "entgo.io/ent/schema/mixin"
	"github.com/google/uuid"
)

// ID gives a type its key: a UUIDv7 (RFC 9562, section 5.7), so rows sort by their creation.
type ID struct{ entmixin.Schema }

// Fields of the mixin.
func (ID) Fields() []ent.Field {
	return []ent.Field{field.UUID("id", uuid.UUID{}).Default(NewID).Immutable()}
}

// NewID returns a new UUIDv7. It panics where the system has no randomness to give.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Timestamps gives a type created_at and updated_at.
type Timestamps struct{ entmixin.Schema }

// Fields of the mixin.
func (Timestamps) Fields() []ent.Field {
	return []ent.Field{
		field.Time("created_at").Default(Now).Immutable().Annotations(entsql.DefaultExpr("now()")),
		field.Time("updated_at").Default(Now).UpdateDefault(Now).Annotations(entsql.DefaultExpr("now()")),
	}
}

// Now returns the time in UTC, cut to PostgreSQL's microseconds: an ETag made from a row just
// written must equal one made from the same row read back.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Source gives a type the id by which the system it was imported from knows it.
type Source struct{ entmixin.Schema }

// Fields of the mixin.
func (Source) Fields() []ent.Field {
	return []ent.Field{field.String("source_id").Validate(MaxLen(255)).Optional().Nillable()}
}

// Indexes of the mixin.
func (Source) Indexes() []ent.Index {
	return []ent.Index{index.Fields("source_id").Unique()}
}

// Date is the column type of a day without a time; give it to SchemaType.
var Date = map[string]string{dialect.Postgres: "date"}

// Score is the column type of marks: two decimals, exact; give it to SchemaType.
var Score = map[string]string{dialect.Postgres: "numeric(7,2)"}

// OneOf constrains a column to the given values: ent writes its enums as plain varchar, and
// people with psql must not be able to store what the program can't read.
func OneOf(table, column string, values ...string) entsql.Annotation {
	return Check(table+"_"+column, column+" IN ('"+strings.Join(values, "', '")+"')")
}

// Check is a named CHECK constraint.
func Check(name, expression string) entsql.Annotation {
	return entsql.Annotation{Checks: map[string]string{name: expression}}
}

// MaxLen refuses texts of more than n characters. ent's own MaxLen counts bytes, which cuts names
// in other scripts short.
func MaxLen(n int) func(string) error {
	return func(text string) error {
		if utf8.RuneCountInString(text) > n {
			return fmt.Errorf("it has more than %d characters", n)
		}
		return nil
	}
}

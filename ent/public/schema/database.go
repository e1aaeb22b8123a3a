package schema

import (
	"regexp"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// Database is a registered PostgreSQL database that holds schools' schemas, beside primary, which
// holds this table and needs no row in it.
type Database struct{ ent.Schema }

// Mixin of Database.
func (Database) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of Database.
func (Database) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").Unique().Immutable().Match(regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)),
		field.String("url").Validate(mixin.MaxLen(2000)).Comment("postgres://..., without a password"),
		field.String("password_ref").Optional().Nillable().Validate(mixin.MaxLen(1000)).Comment("where the password is: env:NAME or file:PATH"),
		field.Int("capacity").Default(500).Range(1, 100_000).Comment("schools, at most"),
		field.Enum("kind").Values("shared", "dedicated").Default("shared").Immutable().Comment("shared: a server for many schools. dedicated: an empty database for one school"),
		field.Bool("is_active").Default(true).Comment("takes new schools"),
	}
}

// Annotations of Database.
func (Database) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("databases"),
		mixin.OneOf("databases", "kind", "shared", "dedicated"),
		mixin.Check("databases_name", `name ~ '^[a-z][a-z0-9-]{0,62}$' AND name <> 'primary'`),
		mixin.Check("databases_url", `url ~ '^postgres(ql)?://' AND url !~ '^[^/]*//[^/@]*:[^/@]*@' AND url !~* '[?&](ssl)?password='`),
		mixin.Check("databases_password_ref", `password_ref ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$'`),
		mixin.Check("databases_capacity", `capacity BETWEEN 1 AND 100000`),
	}
}

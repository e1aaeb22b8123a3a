// Package schema describes the platform's own tables, in PostgreSQL's schema public.
package schema

import (
	"regexp"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// School is one tenant. ent keeps the name Client for itself; the table is clients all the same.
type School struct{ ent.Schema }

// Mixin of School.
func (School) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of School.
func (School) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.String("code").Unique().Validate(mixin.MaxLen(40)).Match(regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)),
		field.String("schema_name").Unique().Immutable().Validate(mixin.MaxLen(63)).Match(regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)),
		field.Enum("setup_progress").Values("not_started", "in_progress", "completed").Default("not_started"),
		field.Bool("is_active").Default(true),
		field.Enum("state").Values("provisioning", "ready", "moving", "deleted", "failed").Default("provisioning"),
		field.Enum("isolation").Values("schema", "database").Default("schema"),
		field.String("database").Default("primary").Validate(mixin.MaxLen(63)).Comment("name of the registered database that holds the schema"),
		field.String("schema_version").Default("").Validate(mixin.MaxLen(63)).Comment("last applied revision; a cache of the schema's own atlas_schema_revisions"),
		field.Time("migrated_at").Optional().Nillable().Comment("when a migration last changed the schema, or failed to"),
		field.Int64("migration_ms").Default(0).NonNegative().Comment("how long that took, in milliseconds"),
		field.String("migration_error").Default("").Comment("why the last migration failed; empty if it did not"),
		field.String("role_name").Default("").Validate(mixin.MaxLen(63)).Comment("the PostgreSQL role that the school's requests run as; empty for none"),
		field.Time("deleted_at").Optional().Nillable(),
	}
}

// Edges of School.
func (School) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("domains", Domain.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("setup", SchoolSetup.Type).Unique().Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("whatsapp_contacts", WhatsAppContact.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of School.
func (School) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("name", "id"),
		index.Fields("database"),
	}
}

// Annotations of School.
func (School) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("clients"),
		mixin.OneOf("clients", "setup_progress", "not_started", "in_progress", "completed"),
		mixin.OneOf("clients", "state", "provisioning", "ready", "moving", "deleted", "failed"),
		mixin.OneOf("clients", "isolation", "schema", "database"),
		mixin.Check("clients_code", `code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(code) BETWEEN 2 AND 40`),
		mixin.Check("clients_schema_name", `schema_name ~ '^[a-z][a-z0-9_]{0,62}$' AND schema_name !~ '^pg_' AND schema_name NOT IN ('public', 'information_schema')`),
		mixin.Check("clients_deleted_at", `(state = 'deleted') = (deleted_at IS NOT NULL)`),
	}
}

package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// Guardian is a parent, or whoever else answers for a student.
type Guardian struct{ ent.Schema }

// Mixin of Guardian.
func (Guardian) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Guardian.
func (Guardian) Fields() []ent.Field {
	return []ent.Field{
		field.String("full_name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.String("email").Validate(mixin.MaxLen(254)).Optional().Nillable(),
		field.String("phone").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.String("address").Validate(mixin.MaxLen(500)).Optional().Nillable(),
	}
}

// Edges of Guardian.
func (Guardian) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("students", StudentGuardian.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("users", User.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Guardian.
func (Guardian) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("full_name", "id"),
		index.Fields("phone"),
	}
}

// Annotations of Guardian.
func (Guardian) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("guardians"),
	}
}

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

// Subject is what a class is about: a course of the catalogue.
type Subject struct{ ent.Schema }

// Mixin of Subject.
func (Subject) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Subject.
func (Subject) Fields() []ent.Field {
	return []ent.Field{
		field.String("code").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.String("name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.String("description").Validate(mixin.MaxLen(2000)).Optional().Nillable(),
	}
}

// Edges of Subject.
func (Subject) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("classes", Class.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Subject.
func (Subject) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("code", "name").Unique(),
		index.Fields("name", "id"),
	}
}

// Annotations of Subject.
func (Subject) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("subjects"),
	}
}

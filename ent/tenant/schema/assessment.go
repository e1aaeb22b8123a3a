package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// Assessment is a piece of work of a class that is marked.
type Assessment struct{ ent.Schema }

// Mixin of Assessment.
func (Assessment) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Assessment.
func (Assessment) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("class_id", uuid.UUID{}),
		field.String("name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.Enum("kind").Values("assignment", "quiz", "test", "exam", "project"),
		field.Float("max_score").SchemaType(mixin.Score).Positive(),
		field.Float("weight").SchemaType(mixin.Score).Positive().Default(1),
		field.Time("held_on").SchemaType(mixin.Date).Optional().Nillable(),
	}
}

// Edges of Assessment.
func (Assessment) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("class", Class.Type).Ref("assessments").Field("class_id").Unique().Required(),
		edge.To("results", Result.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Assessment.
func (Assessment) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("class_id", "name").Unique(),
		index.Fields("held_on"),
	}
}

// Annotations of Assessment.
func (Assessment) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("assessments"),
		mixin.OneOf("assessments", "kind", "assignment", "quiz", "test", "exam", "project"),
		mixin.Check("assessments_scores", "max_score > 0 AND weight > 0"),
	}
}

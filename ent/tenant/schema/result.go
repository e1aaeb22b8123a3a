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

// Result is a student's mark in an assessment; no score yet means it is not marked.
type Result struct{ ent.Schema }

// Mixin of Result.
func (Result) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Result.
func (Result) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("assessment_id", uuid.UUID{}),
		field.UUID("student_id", uuid.UUID{}),
		field.Float("score").SchemaType(mixin.Score).Min(0).Optional().Nillable(),
		field.String("grade").Validate(mixin.MaxLen(10)).Optional().Nillable(),
		field.String("comment").Validate(mixin.MaxLen(1000)).Optional().Nillable(),
	}
}

// Edges of Result.
func (Result) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("assessment", Assessment.Type).Ref("results").Field("assessment_id").Unique().Required(),
		edge.From("student", Student.Type).Ref("results").Field("student_id").Unique().Required(),
	}
}

// Indexes of Result.
func (Result) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("assessment_id", "student_id").Unique(),
		index.Fields("student_id"),
	}
}

// Annotations of Result.
func (Result) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("results"),
		mixin.Check("results_score", "score >= 0"),
	}
}

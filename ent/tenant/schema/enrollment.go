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

// Enrollment is a student in a class.
type Enrollment struct{ ent.Schema }

// Mixin of Enrollment.
func (Enrollment) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Enrollment.
func (Enrollment) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("student_id", uuid.UUID{}).Immutable(),
		field.UUID("class_id", uuid.UUID{}).Immutable(),
		field.Enum("status").Values("active", "completed", "withdrawn").Default("active"),
		field.Time("enrolled_on").SchemaType(mixin.Date).Optional().Nillable(),
		field.Time("ended_on").SchemaType(mixin.Date).Optional().Nillable(),
	}
}

// Edges of Enrollment.
func (Enrollment) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("student", Student.Type).Ref("enrollments").Field("student_id").Unique().Required().Immutable(),
		edge.From("class", Class.Type).Ref("enrollments").Field("class_id").Unique().Required().Immutable(),
	}
}

// Indexes of Enrollment.
func (Enrollment) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("student_id", "class_id").Unique(),
		index.Fields("class_id"),
		index.Fields("status"),
	}
}

// Annotations of Enrollment.
func (Enrollment) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("enrollments"),
		mixin.OneOf("enrollments", "status", "active", "completed", "withdrawn"),
		mixin.Check("enrollments_dates", "enrolled_on <= ended_on"),
	}
}

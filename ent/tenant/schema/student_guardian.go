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

// StudentGuardian ties a guardian to a student.
type StudentGuardian struct{ ent.Schema }

// Mixin of StudentGuardian.
func (StudentGuardian) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}}
}

// Fields of StudentGuardian.
func (StudentGuardian) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("student_id", uuid.UUID{}),
		field.UUID("guardian_id", uuid.UUID{}),
		field.String("relationship").NotEmpty().Validate(mixin.MaxLen(60)).Comment("what the guardian is to the student: Mother, Uncle, ..."),
		field.Bool("is_primary").Default(false),
	}
}

// Edges of StudentGuardian.
func (StudentGuardian) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("student", Student.Type).Ref("guardians").Field("student_id").Unique().Required(),
		edge.From("guardian", Guardian.Type).Ref("students").Field("guardian_id").Unique().Required(),
	}
}

// Indexes of StudentGuardian.
func (StudentGuardian) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("student_id", "guardian_id").Unique(),
		index.Fields("guardian_id"),
	}
}

// Annotations of StudentGuardian.
func (StudentGuardian) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("student_guardians"),
	}
}

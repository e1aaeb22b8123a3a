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

// Class is a section: one subject taught to one group of students in one term.
type Class struct{ ent.Schema }

// Mixin of Class.
func (Class) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Class.
func (Class) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.UUID("subject_id", uuid.UUID{}).Optional().Nillable(),
		field.UUID("term_id", uuid.UUID{}).Optional().Nillable(),
		field.String("grade_level").Validate(mixin.MaxLen(20)).Optional().Nillable(),
		field.String("period").Validate(mixin.MaxLen(20)).Optional().Nillable(),
		field.String("room").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.Int("capacity").Positive().Optional().Nillable(),
	}
}

// Edges of Class.
func (Class) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("subject", Subject.Type).Ref("classes").Field("subject_id").Unique(),
		edge.From("term", Term.Type).Ref("classes").Field("term_id").Unique(),
		edge.To("teachers", ClassTeacher.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("enrollments", Enrollment.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("attendance_records", AttendanceRecord.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("assessments", Assessment.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Class.
func (Class) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("name", "id"),
		index.Fields("subject_id"),
		index.Fields("term_id"),
		index.Fields("grade_level"),
	}
}

// Annotations of Class.
func (Class) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("classes"),
		mixin.Check("classes_capacity", "capacity > 0"),
	}
}

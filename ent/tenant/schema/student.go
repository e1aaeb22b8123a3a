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

// Student is a child or young person whom the school teaches.
type Student struct{ ent.Schema }

// Mixin of Student.
func (Student) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Student.
func (Student) Fields() []ent.Field {
	return []ent.Field{
		field.String("admission_number").Unique().NotEmpty().Validate(mixin.MaxLen(60)),
		field.String("first_name").NotEmpty().Validate(mixin.MaxLen(100)),
		field.String("middle_name").Validate(mixin.MaxLen(100)).Optional().Nillable(),
		field.String("last_name").NotEmpty().Validate(mixin.MaxLen(100)),
		field.Time("date_of_birth").SchemaType(mixin.Date).Optional().Nillable(),
		field.Enum("gender").Values("female", "male", "other").Optional().Nillable(),
		field.String("grade_level").Validate(mixin.MaxLen(20)).Optional().Nillable(),
		field.Enum("status").Values("active", "graduated", "transferred", "withdrawn", "suspended").Default("active"),
		field.String("email").Validate(mixin.MaxLen(254)).Optional().Nillable(),
		field.String("phone").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.String("username").Validate(mixin.MaxLen(100)).Optional().Nillable(),
		field.String("state_id").Validate(mixin.MaxLen(60)).Optional().Nillable(),
		field.String("postal_code").Validate(mixin.MaxLen(20)).Optional().Nillable(),
		field.String("race").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.Bool("is_hispanic").Optional().Nillable(),
		field.Bool("is_english_learner").Optional().Nillable(),
	}
}

// Edges of Student.
func (Student) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("guardians", StudentGuardian.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("enrollments", Enrollment.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("attendance_records", AttendanceRecord.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("results", Result.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("whatsapp_mappings", WhatsAppStudentMapping.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("users", User.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Student.
func (Student) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("last_name", "id"),
		index.Fields("first_name", "id"),
		index.Fields("grade_level"),
		index.Fields("status"),
		index.Fields("email"),
	}
}

// Annotations of Student.
func (Student) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("students"),
		mixin.OneOf("students", "gender", "female", "male", "other"),
		mixin.OneOf("students", "status", "active", "graduated", "transferred", "withdrawn", "suspended"),
	}
}

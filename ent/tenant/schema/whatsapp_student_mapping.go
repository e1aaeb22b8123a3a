package schema

import (
	"regexp"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// WhatsAppStudentMapping says which student a WhatsApp user asks about. The number and name are kept as they were given.
type WhatsAppStudentMapping struct{ ent.Schema }

// Mixin of WhatsAppStudentMapping.
func (WhatsAppStudentMapping) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}}
}

// Fields of WhatsAppStudentMapping.
func (WhatsAppStudentMapping) Fields() []ent.Field {
	return []ent.Field{
		field.String("phone").Optional().Nillable().Match(regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)).Comment("E.164"),
		field.String("whatsapp_user_id").NotEmpty().Validate(mixin.MaxLen(128)).Optional().Nillable(),
		field.String("admission_number").NotEmpty().Validate(mixin.MaxLen(60)),
		field.String("student_name").NotEmpty().Validate(mixin.MaxLen(300)),
		field.UUID("student_id", uuid.UUID{}),
	}
}

// Edges of WhatsAppStudentMapping.
func (WhatsAppStudentMapping) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("student", Student.Type).Ref("whatsapp_mappings").Field("student_id").Unique().Required(),
	}
}

// Indexes of WhatsAppStudentMapping.
func (WhatsAppStudentMapping) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("phone", "student_id").Unique(),
		index.Fields("whatsapp_user_id", "student_id").Unique(),
		index.Fields("student_id"),
	}
}

// Annotations of WhatsAppStudentMapping.
func (WhatsAppStudentMapping) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("whatsapp_student_mappings"),
		mixin.Check("whatsapp_student_mappings_key", "phone IS NOT NULL OR whatsapp_user_id IS NOT NULL"),
		mixin.Check("whatsapp_student_mappings_phone", `phone ~ '^\+[1-9][0-9]{6,14}$'`),
	}
}

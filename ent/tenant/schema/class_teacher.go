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

// ClassTeacher is a member of staff who teaches a class; position 1 leads it.
type ClassTeacher struct{ ent.Schema }

// Mixin of ClassTeacher.
func (ClassTeacher) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}}
}

// Fields of ClassTeacher.
func (ClassTeacher) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("class_id", uuid.UUID{}),
		field.UUID("staff_id", uuid.UUID{}),
		field.Int("position").Positive().Default(1),
	}
}

// Edges of ClassTeacher.
func (ClassTeacher) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("class", Class.Type).Ref("teachers").Field("class_id").Unique().Required(),
		edge.From("staff", Staff.Type).Ref("classes").Field("staff_id").Unique().Required(),
	}
}

// Indexes of ClassTeacher.
func (ClassTeacher) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("class_id", "staff_id").Unique(),
		index.Fields("staff_id"),
	}
}

// Annotations of ClassTeacher.
func (ClassTeacher) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("class_teachers"),
		mixin.Check("class_teachers_position", "position > 0"),
	}
}

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

// Staff is a person who works at the school; teachers are staff.
type Staff struct{ ent.Schema }

// Mixin of Staff.
func (Staff) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Staff.
func (Staff) Fields() []ent.Field {
	return []ent.Field{
		field.String("staff_number").Unique().NotEmpty().Validate(mixin.MaxLen(60)),
		field.String("first_name").NotEmpty().Validate(mixin.MaxLen(100)),
		field.String("middle_name").Validate(mixin.MaxLen(100)).Optional().Nillable(),
		field.String("last_name").NotEmpty().Validate(mixin.MaxLen(100)),
		field.String("title").Validate(mixin.MaxLen(100)).Optional().Nillable(),
		field.Enum("status").Values("active", "on_leave", "left").Default("active"),
		field.String("email").Validate(mixin.MaxLen(254)).Optional().Nillable(),
		field.String("phone").Validate(mixin.MaxLen(40)).Optional().Nillable(),
		field.String("username").Validate(mixin.MaxLen(100)).Optional().Nillable(),
		field.String("state_id").Validate(mixin.MaxLen(60)).Optional().Nillable(),
	}
}

// Edges of Staff.
func (Staff) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("classes", ClassTeacher.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("users", User.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Staff.
func (Staff) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("last_name", "id"),
		index.Fields("first_name", "id"),
		index.Fields("status"),
		index.Fields("email"),
	}
}

// Annotations of Staff.
func (Staff) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("staff"),
		mixin.OneOf("staff", "status", "active", "on_leave", "left"),
	}
}

// Package schema describes one school's tables. They name no PostgreSQL schema: the connection does.
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

// User is a person who may sign in to the school.
type User struct{ ent.Schema }

// Mixin of User.
func (User) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}}
}

// Fields of User.
func (User) Fields() []ent.Field {
	return []ent.Field{
		field.String("email").Unique().NotEmpty().Validate(mixin.MaxLen(254)).Comment("lower case"),
		field.String("full_name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.Enum("role").Values("admin", "staff", "teacher", "guardian", "student"),
		field.Bool("is_active").Default(true),
		field.String("password_hash").Optional().Nillable().Sensitive().Comment("argon2id; none until the invitation is accepted"),
		field.Bytes("invite_hash").Optional().Nillable().Sensitive().Comment("SHA-256 of the invitation's secret part; none once it is accepted"),
		field.Time("invite_expires_at").Optional().Nillable(),
		field.UUID("staff_id", uuid.UUID{}).Optional().Nillable(),
		field.UUID("guardian_id", uuid.UUID{}).Optional().Nillable(),
		field.UUID("student_id", uuid.UUID{}).Optional().Nillable(),
		field.Time("last_login_at").Optional().Nillable(),
	}
}

// Edges of User.
func (User) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("staff", Staff.Type).Ref("users").Field("staff_id").Unique(),
		edge.From("guardian", Guardian.Type).Ref("users").Field("guardian_id").Unique(),
		edge.From("student", Student.Type).Ref("users").Field("student_id").Unique(),
		edge.To("refresh_tokens", RefreshToken.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of User.
func (User) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("staff_id"),
		index.Fields("guardian_id"),
		index.Fields("student_id"),
	}
}

// Annotations of User.
func (User) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("users"),
		mixin.OneOf("users", "role", "admin", "staff", "teacher", "guardian", "student"),
		mixin.Check("users_email", "email = lower(email)"),
		mixin.Check("users_invite", "(invite_hash IS NULL) = (invite_expires_at IS NULL)"),
	}
}

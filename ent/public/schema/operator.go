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

// Operator is a person who runs the platform.
type Operator struct{ ent.Schema }

// Mixin of Operator.
func (Operator) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of Operator.
func (Operator) Fields() []ent.Field {
	return []ent.Field{
		field.String("email").Unique().NotEmpty().Validate(mixin.MaxLen(254)).Comment("lower case"),
		field.String("full_name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.Enum("role").Values("owner", "operator", "viewer"),
		field.Bool("is_active").Default(true),
		field.String("password_hash").Optional().Nillable().Sensitive().Comment("argon2id; none for those who only sign in at an identity provider"),
		field.Time("last_login_at").Optional().Nillable(),
	}
}

// Edges of Operator.
func (Operator) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("refresh_tokens", RefreshToken.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of Operator.
func (Operator) Indexes() []ent.Index {
	return []ent.Index{index.Fields("full_name", "id")}
}

// Annotations of Operator.
func (Operator) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("operators"),
		mixin.OneOf("operators", "role", "owner", "operator", "viewer"),
		mixin.Check("operators_email", "email = lower(email)"),
	}
}

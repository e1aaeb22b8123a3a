package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// APIKey lets a program use the system API.
type APIKey struct{ ent.Schema }

// Mixin of APIKey.
func (APIKey) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of APIKey.
func (APIKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Validate(mixin.MaxLen(200)),
		field.Enum("role").Values("owner", "operator", "viewer"),
		field.Strings("scopes").Default([]string{}).Immutable().Annotations(entsql.DefaultExpr("'[]'")).Comment("what the key is narrowed to; none for everything of its role"),
		field.Bytes("secret_hash").Sensitive().Immutable().Comment("SHA-256 of the secret part"),
		field.Time("expires_at").Optional().Nillable(),
		field.Time("last_used_at").Optional().Nillable().Comment("to the minute"),
		field.Time("revoked_at").Optional().Nillable(),
	}
}

// Annotations of APIKey.
func (APIKey) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("api_keys"),
		mixin.OneOf("api_keys", "role", "owner", "operator", "viewer"),
		mixin.Check("api_keys_scopes", "jsonb_typeof(scopes) = 'array'"),
	}
}

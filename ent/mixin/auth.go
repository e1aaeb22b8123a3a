package mixin

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	entmixin "entgo.io/ent/schema/mixin"
	"github.com/google/uuid"
)

// Refresh gives a type what a refresh token is. Those that grew from one login are a family, named by
// the first, and all end at the same time.
type Refresh struct{ entmixin.Schema }

// Fields of the mixin.
func (Refresh) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("family", uuid.UUID{}).Immutable(),
		field.Bytes("secret_hash").Sensitive().Immutable().Comment("SHA-256 of the secret part"),
		field.String("address").Optional().Nillable().Immutable().Validate(MaxLen(64)).Comment("the client's IP address"),
		field.Time("created_at").Default(Now).Immutable().Annotations(entsql.DefaultExpr("now()")),
		field.Time("expires_at").Immutable(),
		field.Time("used_at").Optional().Nillable().Comment("when the next of the family took its place"),
		field.Time("revoked_at").Optional().Nillable(),
	}
}

// Indexes of the mixin.
func (Refresh) Indexes() []ent.Index {
	return []ent.Index{index.Fields("family"), index.Fields("expires_at")}
}

// Limit gives a type what a count of login attempts is.
type Limit struct{ entmixin.Schema }

// Fields of the mixin.
func (Limit) Fields() []ent.Field {
	return []ent.Field{
		field.Bytes("subject").Unique().Immutable().Comment("SHA-256 of the account or of the address that is counted"),
		field.Int("attempts").NonNegative(),
		field.Time("ends_at").Comment("when the count begins anew"),
	}
}

// Indexes of the mixin.
func (Limit) Indexes() []ent.Index {
	return []ent.Index{index.Fields("ends_at")}
}

package mixin

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	entmixin "entgo.io/ent/schema/mixin"
)

// IdempotencyKey holds the columns of idempotency_keys, the same in both graphs: a request that came
// with such a key and, once there is one, the answer to it.
type IdempotencyKey struct{ entmixin.Schema }

// Fields of the mixin.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("principal").NotEmpty().Validate(MaxLen(200)).Comment("who asked; keys of others are other keys"),
		field.Bytes("key_hash").Comment("SHA-256 of the key, which itself opens the answer"),
		field.Bytes("request_hash").Comment("HMAC of method, path and body with the key"),
		field.Bytes("answer").Optional().Nillable().Sensitive().Comment("encrypted; none while the request is at work, or if it was cut off"),
		field.Time("busy_until").Comment("when a request without an answer counts as cut off"),
		field.Time("expires_at"),
	}
}

// Indexes of the mixin.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("principal", "key_hash").Unique(),
		index.Fields("expires_at"),
	}
}

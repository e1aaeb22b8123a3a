package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// AuditEvent is who logged in to the school, acted as one of its admins or changed its users, when and from
// where. It keeps plain ids, no foreign keys: it outlives what it tells of.
type AuditEvent struct{ ent.Schema }

// Mixin of AuditEvent.
func (AuditEvent) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}} }

// Fields of AuditEvent.
func (AuditEvent) Fields() []ent.Field {
	return []ent.Field{
		field.Time("at").Default(mixin.Now).Immutable().Annotations(entsql.DefaultExpr("now()")),
		field.String("actor").Immutable().Validate(mixin.MaxLen(200)).Comment("kind and id, such as user:0192…, or nobody; of the platform operator:0192…, api-key:0192… or shell"),
		field.String("action").Immutable().Validate(mixin.MaxLen(80)).Comment("such as user.login"),
		field.String("request_id").Optional().Nillable().Immutable().Validate(mixin.MaxLen(64)),
		field.String("address").Optional().Nillable().Immutable().Validate(mixin.MaxLen(64)).Comment("the client's IP address"),
		field.JSON("details", map[string]any{}).Optional().Immutable(),
	}
}

// Indexes of AuditEvent.
func (AuditEvent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("at", "id")}
}

// Annotations of AuditEvent.
func (AuditEvent) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("audit_events")}
}

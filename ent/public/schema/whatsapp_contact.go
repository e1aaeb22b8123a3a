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

// WhatsAppContact leads from a WhatsApp user to a school. A user who has adopted a username may
// write without a phone number, so either key may be missing, but not both.
type WhatsAppContact struct{ ent.Schema }

// Mixin of WhatsAppContact.
func (WhatsAppContact) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of WhatsAppContact.
func (WhatsAppContact) Fields() []ent.Field {
	return []ent.Field{
		field.String("phone").Optional().Nillable().Unique().Match(regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)).Comment("E.164"),
		field.String("whatsapp_user_id").Optional().Nillable().Unique().NotEmpty().Validate(mixin.MaxLen(128)),
		field.String("display_name").Optional().Nillable().Validate(mixin.MaxLen(200)),
		field.UUID("school_id", uuid.UUID{}),
	}
}

// Edges of WhatsAppContact.
func (WhatsAppContact) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("school", School.Type).Ref("whatsapp_contacts").Field("school_id").Unique().Required(),
	}
}

// Indexes of WhatsAppContact.
func (WhatsAppContact) Indexes() []ent.Index {
	return []ent.Index{index.Fields("school_id")}
}

// Annotations of WhatsAppContact.
func (WhatsAppContact) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("whatsapp_contacts"),
		mixin.Check("whatsapp_contacts_key", "phone IS NOT NULL OR whatsapp_user_id IS NOT NULL"),
		mixin.Check("whatsapp_contacts_phone", `phone ~ '^\+[1-9][0-9]{6,14}$'`),
	}
}

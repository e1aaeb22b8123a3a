package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// SchoolSetup is how far a school has come in getting started.
type SchoolSetup struct{ ent.Schema }

// Mixin of SchoolSetup.
func (SchoolSetup) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of SchoolSetup.
func (SchoolSetup) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("school_id", uuid.UUID{}).Unique().Immutable(),
		field.JSON("steps", []mixin.SetupStep{}),
		field.String("contacted_by").Optional().Nillable().Validate(mixin.MaxLen(200)).Comment("who of the platform is in touch with the school"),
	}
}

// Edges of SchoolSetup.
func (SchoolSetup) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("school", School.Type).Ref("setup").Field("school_id").Unique().Required().Immutable(),
	}
}

// Annotations of SchoolSetup.
func (SchoolSetup) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("school_setups")}
}

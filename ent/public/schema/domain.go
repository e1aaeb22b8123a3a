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

// Domain is a hostname that leads to a school.
type Domain struct{ ent.Schema }

// Mixin of Domain.
func (Domain) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of Domain.
func (Domain) Fields() []ent.Field {
	return []ent.Field{
		field.String("domain").Unique().NotEmpty().Validate(mixin.MaxLen(253)).Comment("lower case, ASCII (IDNA), no port"),
		field.UUID("tenant_id", uuid.UUID{}).Immutable(),
		field.Bool("is_primary").Default(false),
	}
}

// Edges of Domain.
func (Domain) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("tenant", School.Type).Ref("domains").Field("tenant_id").Unique().Required().Immutable(),
	}
}

// Indexes of Domain.
func (Domain) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("tenant_id"),
		index.Fields("tenant_id").Unique().StorageKey("domains_one_primary").Annotations(entsql.IndexWhere("is_primary")),
	}
}

// Annotations of Domain.
func (Domain) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("domains"),
		mixin.Check("domains_domain", `domain = lower(domain) AND domain !~ '[[:space:]:/]'`),
	}
}

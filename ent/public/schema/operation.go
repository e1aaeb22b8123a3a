package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// Operation is work that takes longer than a request, and how far it has come. It keeps plain ids, no
// foreign keys: it outlives the school that it is done to.
type Operation struct{ ent.Schema }

// Mixin of Operation.
func (Operation) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}} }

// Fields of Operation.
func (Operation) Fields() []ent.Field {
	return []ent.Field{
		field.String("kind").Immutable().Validate(mixin.MaxLen(40)).Comment("such as school.purge"),
		field.Enum("state").Values("pending", "running", "succeeded", "failed").Default("pending"),
		field.Int("progress").Default(0).Range(0, 100).Comment("percent"),
		field.String("detail").Default("").Validate(mixin.MaxLen(500)).Comment("what is being done, in words"),
		field.String("error").Optional().Nillable().Validate(mixin.MaxLen(500)).Comment("why it failed; safe to show"),
		field.UUID("school_id", uuid.UUID{}).Optional().Nillable().Immutable(),
		field.String("school_code").Optional().Nillable().Immutable().Validate(mixin.MaxLen(40)),
		field.String("created_by").Immutable().Validate(mixin.MaxLen(200)).Comment("the actor, as the audit names them"),
		field.String("request_id").Default("").Immutable().Validate(mixin.MaxLen(64)).Comment("for the audit of what it does"),
		field.String("address").Default("").Immutable().Validate(mixin.MaxLen(64)).Comment("for the audit of what it does"),
		field.Time("started_at").Optional().Nillable(),
		field.Time("finished_at").Optional().Nillable(),
	}
}

// Indexes of Operation.
func (Operation) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("created_at", "id"),
		index.Fields("state", "created_at", "id"),
		index.Fields("school_id", "created_at", "id"),
	}
}

// Annotations of Operation.
func (Operation) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("operations"),
		mixin.OneOf("operations", "state", "pending", "running", "succeeded", "failed"),
		mixin.Check("operations_progress", `progress BETWEEN 0 AND 100`),
		mixin.Check("operations_finished", `(state IN ('succeeded', 'failed')) = (finished_at IS NOT NULL)`),
	}
}

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

// Term is a part of an academic year in which classes are held.
type Term struct{ ent.Schema }

// Mixin of Term.
func (Term) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of Term.
func (Term) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("academic_year_id", uuid.UUID{}),
		field.String("name").NotEmpty().Validate(mixin.MaxLen(80)),
		field.Time("starts_on").SchemaType(mixin.Date),
		field.Time("ends_on").SchemaType(mixin.Date),
	}
}

// Edges of Term.
func (Term) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("academic_year", AcademicYear.Type).Ref("terms").Field("academic_year_id").Unique().Required(),
		edge.To("classes", Class.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Term.
func (Term) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("academic_year_id", "name").Unique(),
		index.Fields("starts_on", "id"),
	}
}

// Annotations of Term.
func (Term) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("terms"),
		mixin.Check("terms_dates", "starts_on < ends_on"),
	}
}

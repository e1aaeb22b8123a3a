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

// AcademicYear is a school's year, such as 2026-2027.
type AcademicYear struct{ ent.Schema }

// Mixin of AcademicYear.
func (AcademicYear) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of AcademicYear.
func (AcademicYear) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Validate(mixin.MaxLen(80)).Unique(),
		field.Time("starts_on").SchemaType(mixin.Date),
		field.Time("ends_on").SchemaType(mixin.Date),
	}
}

// Edges of AcademicYear.
func (AcademicYear) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("terms", Term.Type).Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of AcademicYear.
func (AcademicYear) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("starts_on", "id"),
	}
}

// Annotations of AcademicYear.
func (AcademicYear) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("academic_years"),
		mixin.Check("academic_years_dates", "starts_on < ends_on"),
	}
}

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

// AttendanceRecord is whether a student was there: on a day, or in one class of that day.
type AttendanceRecord struct{ ent.Schema }

// Mixin of AttendanceRecord.
func (AttendanceRecord) Mixin() []ent.Mixin {
	return []ent.Mixin{mixin.ID{}, mixin.Timestamps{}, mixin.Source{}}
}

// Fields of AttendanceRecord.
func (AttendanceRecord) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("student_id", uuid.UUID{}),
		field.UUID("class_id", uuid.UUID{}).Optional().Nillable(),
		field.Time("date").SchemaType(mixin.Date),
		field.Enum("status").Values("present", "absent", "late", "excused"),
		field.String("note").Validate(mixin.MaxLen(500)).Optional().Nillable(),
	}
}

// Edges of AttendanceRecord.
func (AttendanceRecord) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("student", Student.Type).Ref("attendance_records").Field("student_id").Unique().Required(),
		edge.From("class", Class.Type).Ref("attendance_records").Field("class_id").Unique(),
	}
}

// Indexes of AttendanceRecord.
func (AttendanceRecord) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("student_id", "date", "class_id").Unique(),
		index.Fields("student_id", "date").Unique().StorageKey("attendance_records_one_a_day").Annotations(entsql.IndexWhere("class_id IS NULL")),
		index.Fields("class_id", "date"),
		index.Fields("date"),
	}
}

// Annotations of AttendanceRecord.
func (AttendanceRecord) Annotations() []schema.Annotation {
	return []schema.Annotation{
		entsql.Table("attendance_records"),
		mixin.OneOf("attendance_records", "status", "present", "absent", "late", "excused"),
	}
}

package tenantapi

import (
	"context"
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/class"
	"github.com/homeroom-sms/homeroom/ent/tenant/classteacher"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/school"
)

// ClassInput is what of a class can be written.
type ClassInput struct {
	Name       string         `json:"name" minLength:"1" maxLength:"200" example:"Mathematics 7B" doc:"The name."`
	SubjectID  *uuid.UUID     `json:"subject_id" required:"false" format:"uuid" nullable:"true" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10" doc:"What is taught."`
	TermID     *uuid.UUID     `json:"term_id" required:"false" format:"uuid" nullable:"true" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d11" doc:"When it is taught."`
	GradeLevel *string        `json:"grade_level" required:"false" maxLength:"20" example:"7" doc:"The grade that it is for."`
	Period     *string        `json:"period" required:"false" maxLength:"20" example:"3" doc:"The lesson of the day."`
	Room       *string        `json:"room" required:"false" maxLength:"40" example:"B12" doc:"Where it is taught."`
	Capacity   *int           `json:"capacity" required:"false" minimum:"1" maximum:"10000" example:"32" doc:"How many active enrollments it can have; null for any number."`
	Teachers   []ClassTeacher `json:"teachers" required:"false" default:"[]" maxItems:"20" doc:"Who teaches it: the first leads. A new list replaces the old one."`
}

// ClassTeacher is a member of staff who teaches a class.
type ClassTeacher struct {
	StaffID uuid.UUID `json:"staff_id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d12" doc:"The member of staff."`
}

// Class is a class as it is shown.
type Class struct {
	Key
	ClassInput
	Stamps
}

type classList struct {
	wire.PageInput
	Sort       string     `query:"sort" default:"name" enum:"name,-name,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search     string     `query:"search" maxLength:"100" example:"math" doc:"Words that must all be found in name or room."`
	SubjectID  optionalID `query:"subject_id" doc:"Only classes of this subject."`
	TermID     optionalID `query:"term_id" doc:"Only classes of this term."`
	GradeLevel string     `query:"grade_level" maxLength:"20" example:"7" doc:"Only classes for this grade."`
	StaffID    optionalID `query:"staff_id" doc:"Only classes that this member of staff teaches."`
}

func (l classList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l classList) where() []predicate.Class {
	return slices.Concat(
		byID(l.SubjectID, class.SubjectID),
		byID(l.TermID, class.TermID),
		by(l.GradeLevel, class.GradeLevel),
		byID(l.StaffID, func(id uuid.UUID) predicate.Class { return class.HasTeachersWith(classteacher.StaffID(id)) }),
		search[predicate.Class](l.Search, class.FieldName, class.FieldRoom),
	)
}

type classResource = resource[tenantdb.Class, *tenantdb.ClassMutation, predicate.Class, classList, ClassInput, Class]

func classes() classResource {
	return classResource{
		one: "class", many: "classes",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.ClassClient { return db.Class },
			func(q *tenantdb.ClassQuery) *tenantdb.ClassQuery {
				return q.WithTeachers(func(q *tenantdb.ClassTeacherQuery) { q.Order(classteacher.ByPosition()) })
			},
			order(
				func(c *tenantdb.Class) uuid.UUID { return c.ID },
				key(class.FieldName, func(c *tenantdb.Class) string { return c.Name }),
			)),
		form: classForm,
		show: func(c *tenantdb.Class) Class {
			return Class{Key{c.ID}, classForm(c), stamps(c.CreatedAt, c.UpdatedAt)}
		},
		links: func(ctx context.Context, db *tenantdb.Client, id uuid.UUID, in ClassInput) error {
			teachers := make([]uuid.UUID, len(in.Teachers))
			for i, t := range in.Teachers {
				teachers[i] = t.StaffID
			}
			return school.SetTeachers(ctx, db, id, teachers)
		},
	}
}

func classForm(c *tenantdb.Class) ClassInput {
	teachers := make([]ClassTeacher, len(c.Edges.Teachers))
	for i, row := range c.Edges.Teachers {
		teachers[i] = ClassTeacher{row.StaffID}
	}
	return ClassInput{c.Name, c.SubjectID, c.TermID, c.GradeLevel, c.Period, c.Room, c.Capacity, teachers}
}

func (in ClassInput) put(m *tenantdb.ClassMutation) {
	m.SetName(in.Name)
	put(in.SubjectID, m.SetSubjectID, m.ClearSubjectID)
	put(in.TermID, m.SetTermID, m.ClearTermID)
	put(in.GradeLevel, m.SetGradeLevel, m.ClearGradeLevel)
	put(in.Period, m.SetPeriod, m.ClearPeriod)
	put(in.Room, m.SetRoom, m.ClearRoom)
	put(in.Capacity, m.SetCapacity, m.ClearCapacity)
}

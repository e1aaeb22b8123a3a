package tenantapi

import (
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// EnrollmentInput is what of an enrollment can be written.
type EnrollmentInput struct {
	StudentID  uuid.UUID         `json:"student_id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10" doc:"The student; can't be changed later."`
	ClassID    uuid.UUID         `json:"class_id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d13" doc:"The class; can't be changed later."`
	Status     enrollment.Status `json:"status" required:"false" default:"active" enum:"active,completed,withdrawn" example:"active" doc:"Only active ones take a seat."`
	EnrolledOn *wire.Date        `json:"enrolled_on" required:"false" example:"2026-09-01" doc:"The first day."`
	EndedOn    *wire.Date        `json:"ended_on" required:"false" example:"2027-07-15" doc:"The last day; not before the first."`
}

// Enrollment is an enrollment as it is shown.
type Enrollment struct {
	Key
	EnrollmentInput
	Stamps
}

type enrollmentList struct {
	wire.PageInput
	Sort      string            `query:"sort" default:"created_at" enum:"created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	StudentID optionalID        `query:"student_id" doc:"Only enrollments of this student."`
	ClassID   optionalID        `query:"class_id" doc:"Only enrollments in this class."`
	Status    enrollment.Status `query:"status" enum:"active,completed,withdrawn" doc:"Only enrollments of this status."`
}

func (l enrollmentList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l enrollmentList) where() []predicate.Enrollment {
	return slices.Concat(
		byID(l.StudentID, enrollment.StudentID),
		byID(l.ClassID, enrollment.ClassID),
		by(l.Status, enrollment.StatusEQ),
	)
}

type enrollmentResource = resource[tenantdb.Enrollment, *tenantdb.EnrollmentMutation, predicate.Enrollment, enrollmentList, EnrollmentInput, Enrollment]

func enrollments() enrollmentResource {
	return enrollmentResource{
		one: "enrollment", many: "enrollments",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.EnrollmentClient { return db.Enrollment }, nil,
			order(func(e *tenantdb.Enrollment) uuid.UUID { return e.ID })),
		form: enrollmentForm,
		show: func(e *tenantdb.Enrollment) Enrollment {
			return Enrollment{Key{e.ID}, enrollmentForm(e), stamps(e.CreatedAt, e.UpdatedAt)}
		},
	}
}

func enrollmentForm(e *tenantdb.Enrollment) EnrollmentInput {
	return EnrollmentInput{e.StudentID, e.ClassID, e.Status, wire.DateOf(e.EnrolledOn), wire.DateOf(e.EndedOn)}
}

func (in EnrollmentInput) put(m *tenantdb.EnrollmentMutation) {
	m.SetStudentID(in.StudentID)
	m.SetClassID(in.ClassID)
	m.SetStatus(in.Status)
	put(in.EnrolledOn.TimePtr(), m.SetEnrolledOn, m.ClearEnrolledOn)
	put(in.EndedOn.TimePtr(), m.SetEndedOn, m.ClearEndedOn)
}

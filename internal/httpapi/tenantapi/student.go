package tenantapi

import (
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/school"
)

// StudentInput is what of a student can be written.
type StudentInput struct {
	AdmissionNumber string          `json:"admission_number" minLength:"1" maxLength:"60" example:"2026-0417" doc:"The school's own number of the student, unique in it."`
	FirstName       string          `json:"first_name" minLength:"1" maxLength:"100" example:"Amina" doc:"The given name."`
	MiddleName      *string         `json:"middle_name" required:"false" maxLength:"100" example:"Wanjiru" doc:"Further given names."`
	LastName        string          `json:"last_name" minLength:"1" maxLength:"100" example:"Okafor" doc:"The family name."`
	DateOfBirth     *wire.Date      `json:"date_of_birth" required:"false" example:"2014-03-28" doc:"The day of birth; not in the future."`
	Gender          *student.Gender `json:"gender" required:"false" enum:"female,male,other" example:"female" doc:"The gender on record."`
	GradeLevel      *string         `json:"grade_level" required:"false" maxLength:"20" example:"7" doc:"The grade, as the school writes it."`
	Status          student.Status  `json:"status" required:"false" default:"active" enum:"active,graduated,transferred,withdrawn,suspended" example:"active" doc:"Where the student stands with the school."`
	Email           *string         `json:"email" required:"false" format:"email" maxLength:"254" example:"amina.okafor@example.org" doc:"The student's own e-mail address."`
	Phone           *string         `json:"phone" required:"false" maxLength:"40" example:"+254 712 345678" doc:"The student's own phone number."`
}

// Student is a student as it is shown.
type Student struct {
	Key
	StudentInput
	Stamps
}

type studentList struct {
	wire.PageInput
	Sort            string         `query:"sort" default:"last_name" enum:"last_name,-last_name,first_name,-first_name,admission_number,-admission_number,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search          string         `query:"search" maxLength:"100" example:"okaf ami" doc:"Words that must all be found in names, admission number or e-mail address."`
	Status          student.Status `query:"status" enum:"active,graduated,transferred,withdrawn,suspended" doc:"Only students of this status."`
	GradeLevel      string         `query:"grade_level" maxLength:"20" example:"7" doc:"Only students of this grade."`
	ClassID         optionalID     `query:"class_id" doc:"Only students with an active enrollment in this class."`
	AdmissionNumber string         `query:"admission_number" maxLength:"60" example:"2026-0417" doc:"Only the student with this admission number."`
}

func (l studentList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l studentList) where() []predicate.Student {
	return slices.Concat(
		by(l.Status, student.StatusEQ),
		by(l.GradeLevel, student.GradeLevel),
		by(l.AdmissionNumber, student.AdmissionNumber),
		byID(l.ClassID, func(id uuid.UUID) predicate.Student {
			return student.HasEnrollmentsWith(enrollment.ClassID(id), enrollment.StatusEQ(enrollment.StatusActive))
		}),
		search[predicate.Student](l.Search, student.FieldFirstName, student.FieldMiddleName, student.FieldLastName,
			student.FieldAdmissionNumber, student.FieldEmail),
	)
}

type studentResource = resource[tenantdb.Student, *tenantdb.StudentMutation, predicate.Student, studentList, StudentInput, Student]

func students() studentResource {
	return studentResource{
		one: "student", many: "students",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.StudentClient { return db.Student }, nil, order(
			func(s *tenantdb.Student) uuid.UUID { return s.ID },
			key(student.FieldLastName, func(s *tenantdb.Student) string { return s.LastName }),
			key(student.FieldFirstName, func(s *tenantdb.Student) string { return s.FirstName }),
			key(student.FieldAdmissionNumber, func(s *tenantdb.Student) string { return s.AdmissionNumber }),
		)),
		form: studentForm,
		show: func(s *tenantdb.Student) Student {
			return Student{Key{s.ID}, studentForm(s), stamps(s.CreatedAt, s.UpdatedAt)}
		},
		leave: school.LeaveGuardians,
	}
}

func studentForm(s *tenantdb.Student) StudentInput {
	return StudentInput{
		s.AdmissionNumber, s.FirstName, s.MiddleName, s.LastName, wire.DateOf(s.DateOfBirth), s.Gender,
		s.GradeLevel, s.Status, s.Email, s.Phone,
	}
}

func (in StudentInput) put(m *tenantdb.StudentMutation) {
	m.SetAdmissionNumber(in.AdmissionNumber)
	m.SetFirstName(in.FirstName)
	put(in.MiddleName, m.SetMiddleName, m.ClearMiddleName)
	m.SetLastName(in.LastName)
	put(in.DateOfBirth.TimePtr(), m.SetDateOfBirth, m.ClearDateOfBirth)
	put(in.Gender, m.SetGender, m.ClearGender)
	put(in.GradeLevel, m.SetGradeLevel, m.ClearGradeLevel)
	m.SetStatus(in.Status)
	put(in.Email, m.SetEmail, m.ClearEmail)
	put(in.Phone, m.SetPhone, m.ClearPhone)
}

package tenantapi

import (
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/subject"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// SubjectInput is what of a subject can be written.
type SubjectInput struct {
	Code        *string `json:"code" required:"false" maxLength:"40" example:"MATH-7" doc:"The code in the catalogue; together with the name unique in the school."`
	Name        string  `json:"name" minLength:"1" maxLength:"200" example:"Mathematics" doc:"The name."`
	Description *string `json:"description" required:"false" maxLength:"2000" example:"Numbers, shapes and chance." doc:"What it is about; may have several lines."`
}

// Subject is a subject as it is shown.
type Subject struct {
	Key
	SubjectInput
	Stamps
}

type subjectList struct {
	wire.PageInput
	Sort   string `query:"sort" default:"name" enum:"name,-name,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search string `query:"search" maxLength:"100" example:"math" doc:"Words that must all be found in code or name."`
	Code   string `query:"code" maxLength:"40" example:"MATH-7" doc:"Only subjects with this code."`
}

func (l subjectList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l subjectList) where() []predicate.Subject {
	return slices.Concat(
		by(l.Code, subject.Code),
		search[predicate.Subject](l.Search, subject.FieldCode, subject.FieldName),
	)
}

type subjectResource = resource[tenantdb.Subject, *tenantdb.SubjectMutation, predicate.Subject, subjectList, SubjectInput, Subject]

func subjects() subjectResource {
	return subjectResource{
		one: "subject", many: "subjects",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.SubjectClient { return db.Subject }, nil, order(
			func(s *tenantdb.Subject) uuid.UUID { return s.ID },
			key(subject.FieldName, func(s *tenantdb.Subject) string { return s.Name }),
		)),
		form: subjectForm,
		show: func(s *tenantdb.Subject) Subject {
			return Subject{Key{s.ID}, subjectForm(s), stamps(s.CreatedAt, s.UpdatedAt)}
		},
	}
}

func subjectForm(s *tenantdb.Subject) SubjectInput {
	return SubjectInput{s.Code, s.Name, s.Description}
}

func (in SubjectInput) put(m *tenantdb.SubjectMutation) {
	put(in.Code, m.SetCode, m.ClearCode)
	m.SetName(in.Name)
	put(in.Description, m.SetDescription, m.ClearDescription)
}

package tenantapi

import (
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/term"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// TermInput is what of a term can be written.
type TermInput struct {
	AcademicYearID uuid.UUID `json:"academic_year_id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d14" doc:"The academic year that it is part of."`
	Name           string    `json:"name" minLength:"1" maxLength:"80" example:"Term 1" doc:"The name, unique in its academic year."`
	StartsOn       wire.Date `json:"starts_on" example:"2026-09-01" doc:"The first day; not before the academic year's."`
	EndsOn         wire.Date `json:"ends_on" example:"2026-12-18" doc:"The last day, after the first; not after the academic year's."`
}

// Term is a term as it is shown.
type Term struct {
	Key
	TermInput
	Stamps
}

type termList struct {
	wire.PageInput
	Sort           string     `query:"sort" default:"starts_on" enum:"starts_on,-starts_on,name,-name,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	AcademicYearID optionalID `query:"academic_year_id" doc:"Only terms of this academic year."`
}

func (l termList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l termList) where() []predicate.Term { return byID(l.AcademicYearID, term.AcademicYearID) }

type termResource = resource[tenantdb.Term, *tenantdb.TermMutation, predicate.Term, termList, TermInput, Term]

func terms() termResource {
	return termResource{
		one: "term", many: "terms",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.TermClient { return db.Term }, nil, order(
			func(t *tenantdb.Term) uuid.UUID { return t.ID },
			key(term.FieldStartsOn, func(t *tenantdb.Term) string { return keyset.Date(t.StartsOn) }),
			key(term.FieldName, func(t *tenantdb.Term) string { return t.Name }),
		)),
		form: termForm,
		show: func(t *tenantdb.Term) Term {
			return Term{Key{t.ID}, termForm(t), stamps(t.CreatedAt, t.UpdatedAt)}
		},
	}
}

func termForm(t *tenantdb.Term) TermInput {
	return TermInput{t.AcademicYearID, t.Name, wire.NewDate(t.StartsOn), wire.NewDate(t.EndsOn)}
}

func (in TermInput) put(m *tenantdb.TermMutation) {
	m.SetAcademicYearID(in.AcademicYearID)
	m.SetName(in.Name)
	m.SetStartsOn(in.StartsOn.Time())
	m.SetEndsOn(in.EndsOn.Time())
}

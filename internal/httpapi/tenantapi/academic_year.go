package tenantapi

import (
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/academicyear"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// AcademicYearInput is what of an academic year can be written.
type AcademicYearInput struct {
	Name     string    `json:"name" minLength:"1" maxLength:"80" example:"2026-2027" doc:"The name, unique in the school."`
	StartsOn wire.Date `json:"starts_on" example:"2026-09-01" doc:"The first day."`
	EndsOn   wire.Date `json:"ends_on" example:"2027-07-15" doc:"The last day, after the first."`
}

// AcademicYear is an academic year as it is shown.
type AcademicYear struct {
	Key
	AcademicYearInput
	Stamps
}

type academicYearList struct {
	wire.PageInput
	Sort   string `query:"sort" default:"-starts_on" enum:"starts_on,-starts_on,name,-name,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search string `query:"search" maxLength:"100" example:"2026" doc:"Words that must all be found in the name."`
}

func (l academicYearList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l academicYearList) where() []predicate.AcademicYear {
	return search[predicate.AcademicYear](l.Search, academicyear.FieldName)
}

type academicYearResource = resource[tenantdb.AcademicYear, *tenantdb.AcademicYearMutation, predicate.AcademicYear, academicYearList, AcademicYearInput, AcademicYear]

func academicYears() academicYearResource {
	return academicYearResource{
		one: "academic year", many: "academic years",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.AcademicYearClient { return db.AcademicYear }, nil, order(
			func(y *tenantdb.AcademicYear) uuid.UUID { return y.ID },
			key(academicyear.FieldStartsOn, func(y *tenantdb.AcademicYear) string { return keyset.Date(y.StartsOn) }),
			key(academicyear.FieldName, func(y *tenantdb.AcademicYear) string { return y.Name }),
		)),
		form: academicYearForm,
		show: func(y *tenantdb.AcademicYear) AcademicYear {
			return AcademicYear{Key{y.ID}, academicYearForm(y), stamps(y.CreatedAt, y.UpdatedAt)}
		},
	}
}

func academicYearForm(y *tenantdb.AcademicYear) AcademicYearInput {
	return AcademicYearInput{y.Name, wire.NewDate(y.StartsOn), wire.NewDate(y.EndsOn)}
}

func (in AcademicYearInput) put(m *tenantdb.AcademicYearMutation) {
	m.SetName(in.Name)
	m.SetStartsOn(in.StartsOn.Time())
	m.SetEndsOn(in.EndsOn.Time())
}

package tenantapi

import (
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/staff"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// StaffInput is what of a member of staff can be written.
type StaffInput struct {
	StaffNumber string       `json:"staff_number" minLength:"1" maxLength:"60" example:"T-017" doc:"The school's own number of the person, unique in it."`
	FirstName   string       `json:"first_name" minLength:"1" maxLength:"100" example:"David" doc:"The given name."`
	MiddleName  *string      `json:"middle_name" required:"false" maxLength:"100" example:"Kiprono" doc:"Further given names."`
	LastName    string       `json:"last_name" minLength:"1" maxLength:"100" example:"Mutai" doc:"The family name."`
	Title       *string      `json:"title" required:"false" maxLength:"100" example:"Head of Science" doc:"What the person is at the school."`
	Status      staff.Status `json:"status" required:"false" default:"active" enum:"active,on_leave,left" example:"active" doc:"Where the person stands with the school."`
	Email       *string      `json:"email" required:"false" format:"email" maxLength:"254" example:"d.mutai@example.org" doc:"An e-mail address."`
	Phone       *string      `json:"phone" required:"false" maxLength:"40" example:"+254 733 222333" doc:"A phone number."`
}

// Staff is a member of staff as it is shown.
type Staff struct {
	Key
	StaffInput
	Stamps
}

type staffList struct {
	wire.PageInput
	Sort   string       `query:"sort" default:"last_name" enum:"last_name,-last_name,first_name,-first_name,staff_number,-staff_number,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search string       `query:"search" maxLength:"100" example:"mutai" doc:"Words that must all be found in names, staff number or e-mail address."`
	Status staff.Status `query:"status" enum:"active,on_leave,left" doc:"Only staff of this status."`
}

func (l staffList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l staffList) where() []predicate.Staff {
	return slices.Concat(
		by(l.Status, staff.StatusEQ),
		search[predicate.Staff](l.Search, staff.FieldFirstName, staff.FieldMiddleName, staff.FieldLastName,
			staff.FieldStaffNumber, staff.FieldEmail),
	)
}

type staffResource = resource[tenantdb.Staff, *tenantdb.StaffMutation, predicate.Staff, staffList, StaffInput, Staff]

func staffMembers() staffResource {
	return staffResource{
		one: "staff member", many: "staff",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.StaffClient { return db.Staff }, nil, order(
			func(s *tenantdb.Staff) uuid.UUID { return s.ID },
			key(staff.FieldLastName, func(s *tenantdb.Staff) string { return s.LastName }),
			key(staff.FieldFirstName, func(s *tenantdb.Staff) string { return s.FirstName }),
			key(staff.FieldStaffNumber, func(s *tenantdb.Staff) string { return s.StaffNumber }),
		)),
		form: staffForm,
		show: func(s *tenantdb.Staff) Staff {
			return Staff{Key{s.ID}, staffForm(s), stamps(s.CreatedAt, s.UpdatedAt)}
		},
	}
}

func staffForm(s *tenantdb.Staff) StaffInput {
	return StaffInput{s.StaffNumber, s.FirstName, s.MiddleName, s.LastName, s.Title, s.Status, s.Email, s.Phone}
}

func (in StaffInput) put(m *tenantdb.StaffMutation) {
	m.SetStaffNumber(in.StaffNumber)
	m.SetFirstName(in.FirstName)
	put(in.MiddleName, m.SetMiddleName, m.ClearMiddleName)
	m.SetLastName(in.LastName)
	put(in.Title, m.SetTitle, m.ClearTitle)
	m.SetStatus(in.Status)
	put(in.Email, m.SetEmail, m.ClearEmail)
	put(in.Phone, m.SetPhone, m.ClearPhone)
}

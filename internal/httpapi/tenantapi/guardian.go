package tenantapi

import (
	"context"
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/guardian"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/studentguardian"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/school"
)

// GuardianInput is what of a guardian can be written.
type GuardianInput struct {
	FullName string        `json:"full_name" minLength:"1" maxLength:"200" example:"Grace Okafor" doc:"The whole name, as it is written."`
	Email    *string       `json:"email" required:"false" format:"email" maxLength:"254" example:"grace@example.org" doc:"An e-mail address."`
	Phone    *string       `json:"phone" required:"false" maxLength:"40" example:"+254 722 000111" doc:"A phone number."`
	Address  *string       `json:"address" required:"false" maxLength:"500" example:"12 Moi Avenue, Nairobi" doc:"The postal address; may have several lines."`
	Students []StudentLink `json:"students" required:"false" default:"[]" maxItems:"20" doc:"Those whom the guardian looks after; a new list replaces the old one."`
}

// StudentLink ties a guardian to a student.
type StudentLink struct {
	StudentID    uuid.UUID `json:"student_id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10" doc:"The student."`
	Relationship string    `json:"relationship" minLength:"1" maxLength:"60" example:"Mother" doc:"What the guardian is to the student."`
	IsPrimary    bool      `json:"is_primary" required:"false" default:"false" example:"true" doc:"Whether this guardian is to be asked first."`
}

// Guardian is a guardian as it is shown.
type Guardian struct {
	Key
	GuardianInput
	Stamps
}

type guardianList struct {
	wire.PageInput
	Sort      string     `query:"sort" default:"full_name" enum:"full_name,-full_name,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search    string     `query:"search" maxLength:"100" example:"grace" doc:"Words that must all be found in name, e-mail address or phone number."`
	StudentID optionalID `query:"student_id" doc:"Only guardians of this student."`
	Phone     string     `query:"phone" maxLength:"40" example:"+254 722 000111" doc:"Only guardians with this phone number."`
}

func (l guardianList) page() keyset.Page { return page(l.PageInput, l.Sort) }

func (l guardianList) where() []predicate.Guardian {
	return slices.Concat(
		by(l.Phone, guardian.Phone),
		byID(l.StudentID, func(id uuid.UUID) predicate.Guardian {
			return guardian.HasStudentsWith(studentguardian.StudentID(id))
		}),
		search[predicate.Guardian](l.Search, guardian.FieldFullName, guardian.FieldEmail, guardian.FieldPhone),
	)
}

type guardianResource = resource[tenantdb.Guardian, *tenantdb.GuardianMutation, predicate.Guardian, guardianList, GuardianInput, Guardian]

func guardians() guardianResource {
	return guardianResource{
		one: "guardian", many: "guardians",
		store: storeOf(func(db *tenantdb.Client) *tenantdb.GuardianClient { return db.Guardian },
			func(q *tenantdb.GuardianQuery) *tenantdb.GuardianQuery {
				return q.WithStudents(func(q *tenantdb.StudentGuardianQuery) { q.Order(studentguardian.ByID()) })
			},
			order(
				func(g *tenantdb.Guardian) uuid.UUID { return g.ID },
				key(guardian.FieldFullName, func(g *tenantdb.Guardian) string { return g.FullName }),
			)),
		form: guardianForm,
		show: func(g *tenantdb.Guardian) Guardian {
			return Guardian{Key{g.ID}, guardianForm(g), stamps(g.CreatedAt, g.UpdatedAt)}
		},
		links: func(ctx context.Context, db *tenantdb.Client, id uuid.UUID, in GuardianInput) error {
			links := make([]school.StudentLink, len(in.Students))
			for i, link := range in.Students {
				links[i] = school.StudentLink(link)
			}
			return school.SetStudents(ctx, db, id, links)
		},
	}
}

func guardianForm(g *tenantdb.Guardian) GuardianInput {
	links := make([]StudentLink, len(g.Edges.Students))
	for i, row := range g.Edges.Students {
		links[i] = StudentLink{row.StudentID, row.Relationship, row.IsPrimary}
	}
	return GuardianInput{g.FullName, g.Email, g.Phone, g.Address, links}
}

func (in GuardianInput) put(m *tenantdb.GuardianMutation) {
	m.SetFullName(in.FullName)
	put(in.Email, m.SetEmail, m.ClearEmail)
	put(in.Phone, m.SetPhone, m.ClearPhone)
	put(in.Address, m.SetAddress, m.ClearAddress)
}

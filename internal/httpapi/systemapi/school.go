package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// School is a school of the platform.
type School struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	Name          string         `json:"name" example:"Greenwood High School"`
	Code          string         `json:"code" example:"greenwood"`
	SchemaName    string         `json:"schema_name" example:"school_greenwood" doc:"The PostgreSQL schema that holds the school's records."`
	Isolation     string         `json:"isolation" enum:"schema,database" doc:"schema: the school shares a database with others. database: it has one of its own."`
	Database      string         `json:"database" example:"primary" doc:"The registered database that holds the schema."`
	SetupProgress string         `json:"setup_progress" enum:"not_started,in_progress,completed" doc:"Follows from the steps of the school's setup."`
	IsActive      bool           `json:"is_active" doc:"false: switched off, its data untouched."`
	State         string         `json:"state" enum:"provisioning,ready,moving,deleted,failed"`
	SchemaVersion string         `json:"schema_version" example:"20261123115728" doc:"The last migration that was applied to the schema."`
	Domains       []SchoolDomain `json:"domains"`
	CreatedAt     time.Time      `json:"created_at"`
	UpdatedAt     time.Time      `json:"updated_at"`
}

// SchoolDomain is a domain within its school.
type SchoolDomain struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Domain    string    `json:"domain" example:"greenwood.schools.example.org"`
	IsPrimary bool      `json:"is_primary"`
}

// SchoolOf is a school as the API shows it.
func SchoolOf(s *publicdb.School) School {
	out := School{
		ID: s.ID, Name: s.Name, Code: s.Code, SchemaName: s.SchemaName, Isolation: s.Isolation.String(), Database: s.Database,
		SetupProgress: s.SetupProgress.String(), IsActive: s.IsActive, State: s.State.String(), SchemaVersion: s.SchemaVersion,
		Domains: []SchoolDomain{}, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	for _, d := range s.Edges.Domains {
		out.Domains = append(out.Domains, SchoolDomain{d.ID, d.Domain, d.IsPrimary})
	}
	return out
}

// SchoolCreateInput is what a school is created from.
type SchoolCreateInput struct {
	Name        string              `json:"name" minLength:"1" maxLength:"200" example:"Greenwood High School"`
	Code        string              `json:"code" minLength:"2" maxLength:"40" pattern:"^[a-z0-9]+(-[a-z0-9]+)*$" patternDescription:"lower-case letters, digits and single hyphens between them" example:"greenwood"`
	SchemaName  *string             `json:"schema_name,omitempty" pattern:"^[a-z][a-z0-9_]{0,62}$" patternDescription:"a letter, then at most 62 of a-z, 0-9 and _" example:"school_greenwood" doc:"Never changes. Default: school_ and the code."`
	Domains     []SchoolDomainInput `json:"domains,omitempty" maxItems:"50" doc:"Objects or plain strings; the first is primary if none says so. Default: the code under the platform's base domain."`
	Isolation   *string             `json:"isolation,omitempty" enum:"schema,database" doc:"schema: among others. database: in one of its own, made on the server of the registered database, or that one itself if it is dedicated. Default: schema."`
	Database    *string             `json:"database,omitempty" minLength:"1" maxLength:"63" example:"primary" doc:"A registered database. Default: primary."`
	ContactedBy *string             `json:"contacted_by,omitempty" minLength:"1" maxLength:"200" doc:"Who of the platform is in touch with the school."`
	Admin       *AdminInput         `json:"admin,omitempty" doc:"The school's first admin, to be invited."`
}

// AdminInput is a school's first admin.
type AdminInput struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" example:"head@greenwood.example.org"`
	FullName string `json:"full_name" minLength:"1" maxLength:"200" example:"Grace Okafor"`
}

// NewSchool is a school just made, with the invitation of its first admin.
type NewSchool struct {
	School
	AdminInvite *string `json:"admin_invite,omitempty" example:"hri_0192f0c1..." doc:"For /auth/accept-invite/ on the school's host, once and within 7 days. It is shown this once, and only if an admin was named."`
}

// SchoolInput is what of a school may be changed.
type SchoolInput struct {
	Name     string              `json:"name" minLength:"1" maxLength:"200" example:"Greenwood High School"`
	Code     string              `json:"code" minLength:"2" maxLength:"40" pattern:"^[a-z0-9]+(-[a-z0-9]+)*$" patternDescription:"lower-case letters, digits and single hyphens between them" example:"greenwood"`
	IsActive *bool               `json:"is_active,omitempty" default:"true" doc:"false switches the school off without touching its data."` // huma takes a plain false for none
	Domains  []SchoolDomainInput `json:"domains,omitempty" maxItems:"50" doc:"All its domains from now on; left out, they stay as they are."`
}

func newDomains(in []SchoolDomainInput) []platform.NewDomain {
	if in == nil {
		return nil
	}
	out := make([]platform.NewDomain, 0, len(in))
	for _, d := range in {
		out = append(out, platform.NewDomain{Domain: d.Domain, IsPrimary: d.IsPrimary})
	}
	return out
}

func schoolIn(s *publicdb.School) SchoolInput {
	in := SchoolInput{Name: s.Name, Code: s.Code, IsActive: &s.IsActive}
	for _, d := range s.Edges.Domains {
		in.Domains = append(in.Domains, SchoolDomainInput{d.Domain, d.IsPrimary})
	}
	return in
}

// SchoolPath names a school. huma reads embedded structs only if they are exported.
type SchoolPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The school's id."`
}

// SchoolListInput is how schools may be listed.
type SchoolListInput struct {
	wire.PageInput
	Sort          string            `query:"sort" enum:"name,-name,code,-code,created_at,-created_at" default:"name" doc:"With - before the name: descending."`
	Search        string            `query:"search" maxLength:"200" doc:"In name, code and domains."`
	IsActive      wire.OptionalBool `query:"is_active"`
	SetupProgress string            `query:"setup_progress" enum:"not_started,in_progress,completed"`
	Isolation     string            `query:"isolation" enum:"schema,database"`
	Database      string            `query:"database" maxLength:"63"`
	State         string            `query:"state" enum:"provisioning,ready,moving,deleted,failed" doc:"Without it, all but the deleted."`
}

func page(p wire.PageInput, sort string) keyset.Page {
	return keyset.Page{Limit: p.Limit, Cursor: p.Cursor, Sort: sort}
}

// pageOf answers with a page of rows.
func pageOf[Row, Out any](ctx context.Context, rows []*Row, next string, err error, out func(*Row) Out) (*wire.PageOutput[Out], error) {
	if err != nil {
		return nil, err
	}
	items := make([]Out, 0, len(rows))
	for _, row := range rows {
		items = append(items, out(row))
	}
	return wire.NewPage(ctx, items, next), nil
}

func schoolItem(row *publicdb.School, err error) (*wire.Item[School], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewItem(SchoolOf(row), row.UpdatedAt), nil
}

func (s Service) registerSchools(api huma.API) {
	huma.Register(api, operation("list-schools", http.MethodGet, "/schools/", "Schools", "List schools", "schools:read"),
		func(ctx context.Context, in *SchoolListInput) (*wire.PageOutput[School], error) {
			rows, next, err := s.Platform.Schools(ctx, platform.SchoolFilter{
				IsActive: in.IsActive.Pointer(), SetupProgress: in.SetupProgress, Isolation: in.Isolation,
				Database: in.Database, State: in.State, Search: in.Search,
			}, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, SchoolOf)
		})
	create := operation("create-school", http.MethodPost, "/schools/", "Schools", "Create a school", "schools:write")
	create.Description = "Makes the school, its domains and its schema with all tables. The answer means that it is ready to serve; after an error nothing is left of it."
	huma.Register(api, create, s.createSchool)
	huma.Register(api, operation("get-school", http.MethodGet, "/schools/{id}/", "Schools", "Get a school", "schools:read"),
		func(ctx context.Context, in *SchoolPath) (*wire.Item[School], error) {
			return schoolItem(s.Platform.School(ctx, in.ID))
		})
	huma.Register(api, operation("replace-school", http.MethodPut, "/schools/{id}/", "Schools", "Replace a school", "schools:write"),
		func(ctx context.Context, in *struct {
			SchoolTarget
			Body SchoolInput
		},
		) (*wire.Item[School], error) {
			return s.updateSchool(ctx, in.SchoolTarget, func(SchoolInput) (SchoolInput, error) { return in.Body, nil })
		})
	huma.Register(api, operation("update-school", http.MethodPatch, "/schools/{id}/", "Schools", "Change a school", "schools:write"),
		func(ctx context.Context, in *struct {
			SchoolTarget
			Body wire.Patch[SchoolInput]
		},
		) (*wire.Item[School], error) {
			return s.updateSchool(ctx, in.SchoolTarget, func(old SchoolInput) (SchoolInput, error) {
				changed, err := in.Body.Apply(old)
				if changed.Domains == nil { // there were none, or the patch takes them away
					changed.Domains = []SchoolDomainInput{}
				}
				return changed, err
			})
		})
}

func (s Service) createSchool(ctx context.Context, in *struct{ Body SchoolCreateInput }) (*wire.Created[NewSchool], error) {
	b := in.Body
	var admin *auth.Invitation
	var token *string
	if b.Admin != nil {
		made, err := auth.NewInvitation("body.admin", b.Admin.Email, b.Admin.FullName, auth.RoleAdmin)
		if err != nil {
			return nil, err
		}
		admin, token = &made, &made.Token
	}
	row, err := s.Platform.Create(ctx, actor(ctx), platform.NewSchool{
		Name: b.Name, Code: b.Code, SchemaName: value(b.SchemaName), Domains: newDomains(b.Domains),
		Isolation: value(b.Isolation), Database: value(b.Database), ContactedBy: b.ContactedBy, Admin: admin,
	})
	if err != nil {
		return nil, err
	}
	return wire.NewCreated(NewSchool{SchoolOf(row), token}, row.UpdatedAt, root+"/schools/"+row.ID.String()+"/"), nil
}

// SchoolTarget names a school that is to be changed.
type SchoolTarget struct {
	SchoolPath
	wire.IfMatch
}

func (s Service) updateSchool(ctx context.Context, c SchoolTarget, edit func(SchoolInput) (SchoolInput, error)) (*wire.Item[School], error) {
	return schoolItem(s.Platform.Update(ctx, actor(ctx), c.ID, func(row *publicdb.School) (platform.SchoolChange, error) {
		if err := c.Check(row.UpdatedAt); err != nil {
			return platform.SchoolChange{}, err
		}
		in, err := edit(schoolIn(row))
		return platform.SchoolChange{Name: in.Name, Code: in.Code, IsActive: value(in.IsActive), Domains: newDomains(in.Domains)}, err
	}))
}

func value[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

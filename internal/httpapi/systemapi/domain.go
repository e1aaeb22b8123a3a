package systemapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// Domain is a hostname that leads to a school.
type Domain struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Domain    string    `json:"domain" example:"greenwood.schools.example.org"`
	SchoolID  uuid.UUID `json:"school_id" format:"uuid"`
	IsPrimary bool      `json:"is_primary"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func domainOut(d *publicdb.Domain) Domain {
	return Domain{d.ID, d.Domain, d.TenantID, d.IsPrimary, d.CreatedAt, d.UpdatedAt}
}

// DomainCreateInput is a hostname that is to lead to a school.
type DomainCreateInput struct {
	Domain    string `json:"domain" minLength:"1" maxLength:"253" example:"greenwood.schools.example.org" doc:"Stored in lower case and ASCII (IDNA)."`
	IsPrimary bool   `json:"is_primary,omitempty" default:"false" doc:"true makes it the primary in place of the one that is."`
}

// DomainInput is what of a domain may be changed.
type DomainInput struct {
	IsPrimary bool `json:"is_primary" doc:"true makes it the primary in place of the one that is."`
}

// SchoolDomainInput is a domain in a school's list: an object, or a plain string.
type SchoolDomainInput struct {
	Domain    string `json:"domain"`
	IsPrimary bool   `json:"is_primary,omitempty"`
}

// UnmarshalJSON takes a plain string for the domain itself.
func (d *SchoolDomainInput) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(`"`)) {
		return json.Unmarshal(text, &d.Domain)
	}
	type plain SchoolDomainInput
	return json.Unmarshal(text, (*plain)(d))
}

// Schema documents both forms.
func (SchoolDomainInput) Schema(r huma.Registry) *huma.Schema {
	object := r.Schema(reflect.TypeFor[DomainCreateInput](), true, "")
	shortest, longest := 1, 253
	text := &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest, Examples: []any{"greenwood.schools.example.org"}}
	text.PrecomputeMessages()
	return &huma.Schema{OneOf: []*huma.Schema{object, text}}
}

// DomainPath names a domain of a school.
type DomainPath struct {
	SchoolPath
	DomainID uuid.UUID `path:"domain_id" format:"uuid"`
}

// DomainTarget names a domain that is to be changed.
type DomainTarget struct {
	DomainPath
	wire.IfMatch
}

// DomainListInput is how domains may be listed.
type DomainListInput struct {
	wire.PageInput
	Sort string `query:"sort" enum:"domain,-domain,created_at,-created_at" default:"domain" doc:"With - before the name: descending."`
}

func domainItem(row *publicdb.Domain, err error) (*wire.Item[Domain], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewItem(domainOut(row), row.UpdatedAt), nil
}

func (s Service) registerDomains(api huma.API) {
	huma.Register(api, operation("list-domains", http.MethodGet, "/domains/", "Domains", "List the domains of all schools", "domains:read"),
		func(ctx context.Context, in *struct {
			DomainListInput
			Domain string `query:"domain" maxLength:"1024" doc:"This hostname alone, in any form that leads to it."`
		},
		) (*wire.PageOutput[Domain], error) {
			rows, next, err := s.Platform.Domains(ctx, nil, in.Domain, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, domainOut)
		})
	huma.Register(api, operation("list-school-domains", http.MethodGet, "/schools/{id}/domains/", "Domains", "List a school's domains", "domains:read"),
		func(ctx context.Context, in *struct {
			SchoolPath
			DomainListInput
		},
		) (*wire.PageOutput[Domain], error) {
			rows, next, err := s.Platform.Domains(ctx, &in.ID, "", page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, domainOut)
		})
	huma.Register(api, operation("create-school-domain", http.MethodPost, "/schools/{id}/domains/", "Domains", "Give a school a domain", "domains:write"),
		func(ctx context.Context, in *struct {
			SchoolPath
			Body DomainCreateInput
		},
		) (*wire.Created[Domain], error) {
			row, err := s.Platform.AddDomain(ctx, actor(ctx), in.ID, platform.NewDomain{Domain: in.Body.Domain, IsPrimary: in.Body.IsPrimary})
			if err != nil {
				return nil, err
			}
			return wire.NewCreated(domainOut(row), row.UpdatedAt, root+"/schools/"+in.ID.String()+"/domains/"+row.ID.String()+"/"), nil
		})
	const one = "/schools/{id}/domains/{domain_id}/"
	huma.Register(api, operation("get-school-domain", http.MethodGet, one, "Domains", "Get a domain of a school", "domains:read"),
		func(ctx context.Context, in *DomainPath) (*wire.Item[Domain], error) {
			return domainItem(s.Platform.Domain(ctx, in.ID, in.DomainID))
		})
	huma.Register(api, operation("update-school-domain", http.MethodPatch, one, "Domains", "Change a domain of a school", "domains:write"),
		func(ctx context.Context, in *struct {
			DomainTarget
			Body wire.Patch[DomainInput]
		},
		) (*wire.Item[Domain], error) {
			return domainItem(s.Platform.MakePrimary(ctx, actor(ctx), in.ID, in.DomainID, func(row *publicdb.Domain) (bool, error) {
				if err := in.Check(row.UpdatedAt); err != nil {
					return false, err
				}
				changed, err := in.Body.Apply(DomainInput{row.IsPrimary})
				return changed.IsPrimary, err
			}))
		})
	huma.Register(api, operation("delete-school-domain", http.MethodDelete, one, "Domains", "Take a domain from a school", "domains:write"),
		func(ctx context.Context, in *DomainTarget) (*struct{}, error) {
			return nil, s.Platform.RemoveDomain(ctx, actor(ctx), in.ID, in.DomainID, func(row *publicdb.Domain) error { return in.Check(row.UpdatedAt) })
		})
}

// Package tenantapi is the API of one school: routes, what they take and what they show.
//
// A noun is a file: its wire types, its filters, and how they meet the rows. What is the same for every
// noun stands once: [resource] makes a noun's six operations, store reads and writes its rows. What a
// record must be is the business of package school.
package tenantapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/idempotency"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
	"github.com/homeroom-sms/homeroom/internal/httpapi/signin"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

const root = "/api/v1/"

const description = `The records of one school, on that school's own host.

Send ` + "`Authorization: Bearer <token>`" + ` with an access token of this very school, from /auth/login/; each operation says which roles may use it.
A single resource has an ETag: send it back as If-Match to change only what you have seen. Lists go on with
` + "`next_cursor`" + `, in a stable order.`

// New registers the API with mux. Requests must come with the school in their context, see [WithTenant].
// Without a desk the API is good for its document alone.
func New(mux *http.ServeMux, desk *auth.Desk, version string) huma.API {
	api := wire.NewAPI(mux, wire.Document{
		Title: "homeroom tenant API", Description: description, Version: version, Tags: tags(),
		Authorize: "An access token of this very school, from /auth/login/ on its host.",
	}, authenticate(desk), once(desk))
	api.OpenAPI().OnAddOperation = append(api.OpenAPI().OnAddOperation, idempotency.Describe)
	registerAuth(api, desk)
	registerSchool(api)
	academicYears().register(api)
	terms().register(api)
	subjects().register(api)
	classes().register(api)
	students().register(api)
	guardians().register(api)
	staffMembers().register(api)
	enrollments().register(api)
	registerUsers(api, desk)
	registerAudit(api)
	wire.Complete(api)
	return api
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: signin.Tag, Description: "Logging in with a password, and staying logged in."},
		{Name: "School", Description: "The school itself."},
		{Name: "Academic years", Description: "A school's years, such as 2026-2027."},
		{Name: "Terms", Description: "The parts of an academic year in which classes are held."},
		{Name: "Subjects", Description: "What classes are about: the catalogue of courses."},
		{Name: "Classes", Description: "Sections: a subject taught to a group of students in a term, by its teachers."},
		{Name: "Students", Description: "Those whom the school teaches."},
		{Name: "Guardians", Description: "Those who look after students."},
		{Name: "Staff", Description: "Those who work at the school; teachers are staff."},
		{Name: "Enrollments", Description: "Students in classes."},
		{Name: "Users", Description: "Those who may log in to the school. They are switched off, not deleted: the audit speaks of them."},
		{Name: "Audit", Description: "Who came to the school, what was done to its users, when and from where."},
	}
}

type tenantKey struct{}

// WithTenant returns ctx with the school that a request's host has led to.
func WithTenant(ctx context.Context, t *tenancy.Tenant) context.Context {
	return context.WithValue(ctx, tenantKey{}, t)
}

// tenantOf returns the school of a request, nil if whoever routed it forgot.
func tenantOf(ctx context.Context) *tenancy.Tenant {
	t, _ := ctx.Value(tenantKey{}).(*tenancy.Tenant)
	return t
}

// inSchool makes a handler of a function that works in one school: the only place where a client comes
// out of a context. authenticate has made sure that there is one.
func inSchool[I, O any](do func(context.Context, *tenantdb.Client, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) { return do(ctx, tenantOf(ctx).DB, in) }
}

// rolesKey is where an operation says, in the document too, who may use it.
const rolesKey = "x-roles"

var (
	readers = []string{auth.RoleAdmin, auth.RoleStaff, auth.RoleTeacher}
	writers = []string{auth.RoleAdmin, auth.RoleStaff}
	anyone  = []string{auth.RoleAdmin, auth.RoleStaff, auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent}
)

// allow lets the given roles, and nobody else, use an operation.
func allow(op huma.Operation, roles []string) huma.Operation {
	op.Extensions = map[string]any{rolesKey: roles}
	op.Description = strings.TrimSpace(op.Description + "\n\nFor the roles " + strings.Join(roles, ", ") + ".")
	return op
}

// authenticate lets a request pass whose token is of this school and whose bearer has a role that the operation takes.
func authenticate(desk *auth.Desk) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		tenant := tenantOf(ctx.Context())
		if tenant == nil || desk == nil {
			wire.Fail(ctx, fault.Of(errors.New("a request of the tenant API without a school, or nothing to check tokens with")))
			return
		}
		principal, err := authorise(ctx.Context(), desk.Tokens, tenant, ctx.Operation(), ctx.Header("Authorization"))
		if err != nil {
			wire.Fail(ctx, ratelimit.Refused(ctx.Context(), err))
			return
		}
		next(huma.WithValue(ctx, principalKey{}, principal))
	}
}

type principalKey struct{}

// principalOf returns who is asking.
func principalOf(ctx context.Context) auth.Principal {
	p, _ := ctx.Value(principalKey{}).(auth.Principal)
	return p
}

// doer is a deed of whoever is asking, without what it is.
func doer(ctx context.Context) auth.Deed {
	return auth.Deed{Origin: origin(ctx), Actor: principalOf(ctx).Name}
}

func origin(ctx context.Context) auth.Origin {
	return auth.Origin{RequestID: wire.RequestID(ctx), Address: wire.Address(ctx)}
}

// once keeps the answers to requests with an Idempotency-Key in the school's own schema.
func once(desk *auth.Desk) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		guard := idempotency.Guard{DB: tenantOf(ctx.Context()).DB, Principal: principalOf(ctx.Context()).Name, Tokens: desk.Tokens}
		guard.Middleware(ctx, next)
	}
}

func authorise(ctx context.Context, tokens *auth.Tokens, tenant *tenancy.Tenant, op *huma.Operation, authorization string) (auth.Principal, error) {
	if wire.IsPublic(op) {
		return auth.Principal{}, ratelimit.Stranger(ctx)
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return auth.Principal{}, fault.New(fault.Unauthenticated, "A token of this school is needed.")
	}
	principal, err := tokens.BySchoolToken(tenant.ID, strings.TrimSpace(token))
	if err != nil {
		return auth.Principal{}, err
	}
	if err := ratelimit.Principal(ctx, tenant.ID, principal.Name); err != nil {
		return auth.Principal{}, err
	}
	if principal, err = auth.ByUser(ctx, tenant.User, principal); err != nil {
		return auth.Principal{}, err
	}
	if roles, _ := op.Extensions[rolesKey].([]string); !slices.Contains(roles, principal.Role) {
		return auth.Principal{}, fault.New(fault.Forbidden, "Your role does not allow this.")
	}
	return principal, nil
}

// Package systemapi is the API of the platform: schools, their domains and onboarding, WhatsApp
// contacts, and the keys of those who use it.
package systemapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/idempotency"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

const root = "/api/v1/system"

// Service is what the API works with. Only the document is wanted of a zero one.
type Service struct {
	Platform *platform.Platform
	Public   *publicdb.Client                       // where operators are looked up, and answers kept
	Watcher  *platform.Watcher                      // of operations
	Begin    func(context.Context, uuid.UUID) error // has an operation carried out
	Desk     *auth.Desk
	Provider *auth.Provider // whose tokens operators may use too; nil for none
	Now      func() time.Time
}

// New registers the system API, its document and its reading page on mux.
func New(mux *http.ServeMux, s Service, version string) huma.API {
	api := wire.NewAPI(mux, wire.Document{
		Title:       "homeroom system API",
		Description: "Looks after the schools of the platform. It is served on the public hosts alone; a school's own records are in the tenant API, on the school's host.\n\nPrograms come with an API key, people with an access token from /auth/login/. The roles that may use an operation are in its `x-roles`. A key may be narrowed to scopes; the one that an operation takes is in its `x-scope`, and a scope to write includes the one to read the same.",
		Authorize:   "An API key (`hr_...`), an access token from /auth/login/, or, where an identity provider is set up, a token of that provider for an active operator's verified e-mail address.",
		Version:     version,
		Tags: []*huma.Tag{
			{Name: "Schools", Description: "A school each: its row, its schema, its life."},
			{Name: "Domains", Description: "The hostnames that lead to a school."},
			{Name: "Setup", Description: "How far a school has come in getting started."},
			{Name: "WhatsApp contacts", Description: "Which school a WhatsApp user belongs to."},
			{Name: "Databases", Description: "The PostgreSQL databases, beside primary, that may hold schools."},
			{Name: "Migrations", Description: "Where the schools stand with the changes of their tables."},
			{Name: "Authentication", Description: "Logging in with a password, and staying logged in."},
			{Name: "Operators", Description: "The people who may use this API."},
			{Name: "API keys", Description: "The programs that may use this API."},
			{Name: "Operations", Description: "Work that takes longer than a request, and how far it has come."},
			{Name: "Audit", Description: "Who did what to which school, when and from where."},
		},
	}, s.authenticate, s.once)
	api.OpenAPI().OnAddOperation = append(api.OpenAPI().OnAddOperation, idempotency.Describe)
	s.registerSchools(api)
	s.registerLife(api)
	s.registerDomains(api)
	s.registerSetup(api)
	s.registerContacts(api)
	s.registerDatabases(api)
	s.registerMigrations(api)
	s.registerAuth(api)
	s.registerOperators(api)
	s.registerKeys(api)
	s.registerOperations(api)
	s.registerAudit(api)
	wire.Complete(api)
	return api
}

// Where an operation says, in the document too, who may use it: authorize goes by that.
const (
	rolesKey = "x-roles"
	scopeKey = "x-scope"
)

// operation describes one operation under /api/v1/system, which takes a scope and one of its roles.
func operation(id, method, path, tag, summary, scope string) huma.Operation {
	op := ownOperation(id, method, path, tag, summary)
	op.Extensions = map[string]any{rolesKey: auth.ScopeRoles(scope), scopeKey: scope}
	return op
}

// ownOperation describes an operation that is about whoever asks, and so takes no scope.
func ownOperation(id, method, path, tag, summary string) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: root + path, Tags: []string{tag}, Summary: summary,
		Extensions: map[string]any{rolesKey: []string{auth.RoleOwner, auth.RoleOperator, auth.RoleViewer}},
	}
	switch method {
	case http.MethodPost:
		op.DefaultStatus = http.StatusCreated
	case http.MethodDelete:
		op.DefaultStatus = http.StatusNoContent
	}
	return op
}

// once keeps the answers to requests with an Idempotency-Key in the public schema.
func (s Service) once(ctx huma.Context, next func(huma.Context)) {
	guard := idempotency.Guard{DB: s.Public, Principal: principal(ctx.Context()).Name, Tokens: s.Desk.Tokens}
	guard.Middleware(ctx, next)
}

type principalKey struct{}

func (s Service) authenticate(ctx huma.Context, next func(huma.Context)) {
	if wire.IsPublic(ctx.Operation()) {
		if err := ratelimit.Stranger(ctx.Context()); err != nil {
			wire.Fail(ctx, err)
			return
		}
		next(ctx)
		return
	}
	scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	gate := auth.Gate{Public: s.Public, Keys: s.Platform.KnownKey, Tokens: s.Desk.Tokens, Provider: s.Provider, Now: s.Now}
	principal, err := gate.ByBearer(ctx.Context(), strings.TrimSpace(token))
	if err == nil {
		err = ratelimit.Principal(ctx.Context(), uuid.Nil, principal.Name)
	}
	if err != nil {
		wire.Fail(ctx, ratelimit.Refused(ctx.Context(), err))
		return
	}
	if err := authorize(ctx.Operation(), principal); err != nil {
		wire.Fail(ctx, err)
		return
	}
	next(huma.WithValue(ctx, principalKey{}, principal))
}

// authorize refuses a principal without the role or the scope that an operation takes.
func authorize(op *huma.Operation, who auth.Principal) error {
	roles, _ := op.Extensions[rolesKey].([]string)
	if !slices.Contains(roles, who.Role) {
		return fault.New(fault.Forbidden, "This takes the role %s; yours is %s.", strings.Join(roles, " or "), who.Role)
	}
	if scope, taken := op.Extensions[scopeKey].(string); taken && !who.Scopes.Allow(scope) {
		return fault.New(fault.Forbidden, "This takes the scope %s, which this API key does not have.", scope)
	}
	return nil
}

// actor is who asks, as the platform knows them.
func actor(ctx context.Context) platform.Actor {
	return platform.Actor{Name: principal(ctx).Name, Scopes: principal(ctx).Scopes, RequestID: wire.RequestID(ctx), Address: wire.Address(ctx)}
}

func principal(ctx context.Context) auth.Principal {
	p, _ := ctx.Value(principalKey{}).(auth.Principal)
	return p
}

// Package tenancy leads from a host to a school, and from a school to an ent client whose every
// statement runs in that school's schema.
package tenancy

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// publicSchema holds the platform's own tables.
const publicSchema = "public"

// Registry finds schools and opens their schemas.
type Registry struct {
	db     *entpgx.DB // of primary
	pools  *postgres.Pools
	public *publicdb.Client
	roles  bool
}

// Options are how a registry works.
type Options struct {
	Roles bool // requests of a school that has a PostgreSQL role run as that role
}

// Tenant is one school as a request meets it.
type Tenant struct {
	ID   uuid.UUID
	Code string
	Name string
	DB   *tenantdb.Client // in the school's schema, and in no other
}

// New returns the registry of the schools in the databases of pools, and tells pools where databases
// other than primary are.
func New(pools *postgres.Pools, options Options) *Registry {
	db := entpgx.New(pools.Database(postgres.Primary), entpgx.Options{Translate: postgres.Fault, MaxScopes: 256})
	r := &Registry{db: db, pools: pools, public: publicdb.NewClient(publicdb.Driver(db.Driver(scope(publicSchema)))), roles: options.Roles}
	pools.Others((&addresses{public: r.public, known: map[string]postgres.Registration{postgres.Primary: pools.Primary()}}).find)
	return r
}

// scope is what statements on a schema run under: its path alone, never public behind it.
func scope(schema string) entpgx.Scope { return entpgx.Scope{SearchPath: postgres.Ident(schema)} }

// Close lets go of the pools; whoever opened them closes them.
func (r *Registry) Close() error { return r.db.Close() }

// Public returns the client of the platform's own tables.
func (r *Registry) Public() *publicdb.Client { return r.public }

// Ping reports whether the primary database answers.
func (r *Registry) Ping(ctx context.Context) error {
	return postgres.Fault(r.OnConn(ctx, postgres.Primary, func(conn *pgx.Conn) error { return conn.Ping(ctx) }))
}

// client returns a school's client as requests use it: in its schema, and as its role, which has no
// right anywhere else. A fault of ours then ends in PostgreSQL's own "permission denied".
func (r *Registry) client(s *publicdb.School) *tenantdb.Client {
	in := scope(s.SchemaName)
	if r.roles {
		in.Role = s.RoleName
	}
	return tenantdb.NewClient(tenantdb.Driver(r.on(DatabaseOf(s)).Driver(in)))
}

// Schema returns a client of the tenant graph in the given schema of a database, as DatabaseOf names
// it, as the login: for work that no request does. It stays good whatever happens to the connections behind it.
func (r *Registry) Schema(database, schema string) *tenantdb.Client {
	return tenantdb.NewClient(tenantdb.Driver(r.on(database).Driver(scope(schema))))
}

// ByHost returns the school that a Host header names. A host that leads to no school, or to a
// deleted one, is UnknownHost; a school that is switched off is SchoolInactive; one that can't
// serve for now is SchoolUnavailable.
func (r *Registry) ByHost(ctx context.Context, host string) (*Tenant, error) {
	unknown := fault.New(fault.UnknownHost, "No school is served on this host.")
	name, err := NormaliseHost(host)
	if err != nil {
		return nil, unknown
	}
	found, err := r.public.School.Query().Where(school.HasDomainsWith(domain.Domain(name))).Only(ctx)
	if publicdb.IsNotFound(err) {
		return nil, unknown
	}
	if err != nil {
		return nil, fmt.Errorf("finding the school of a host: %w", err)
	}
	if err := servable(found); err != nil {
		return nil, err
	}
	return &Tenant{ID: found.ID, Code: found.Code, Name: found.Name, DB: r.client(found)}, nil
}

func servable(s *publicdb.School) error {
	switch {
	case s.State == school.StateDeleted:
		return fault.New(fault.UnknownHost, "No school is served on this host.")
	case s.State != school.StateReady:
		return &fault.Error{Kind: fault.SchoolUnavailable, Message: "The school can't be served at this moment.", RetryAfter: 10 * time.Second}
	case !s.IsActive:
		return fault.New(fault.SchoolInactive, "The school is switched off.")
	}
	return nil
}

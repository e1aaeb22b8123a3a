// Package tenancy leads from a host to a school, and from a school to an ent client whose every
// statement runs in that school's schema.
package tenancy

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// publicSchema holds the platform's own tables.
const publicSchema = "public"

// Registry finds schools and opens their schemas. While Run runs, it remembers them.
type Registry struct {
	db       *entpgx.DB // of primary
	pools    *postgres.Pools
	public   *publicdb.Client
	options  Options
	memory   *memory
	hosts    *index
	contacts *index
	keys     *keys
	users    *users
	fences   sync.Map // of InTx: id -> chan struct{}, closed when its message is heard

	addresses *addresses
	direct    func() (*pgx.ConnConfig, error) // how primary is reached for a session
}

// Options are how a registry works.
type Options struct {
	Roles    bool   // requests of a school that has a PostgreSQL role run as that role
	Direct   string // URL of primary past its pooler, for what needs a session; "" if there is none
	Requires string // the revision without which a school can't be served, "" for any
}

// Tenant is one school as a request meets it.
type Tenant struct {
	ID   uuid.UUID
	Code string
	Name string
	DB   *tenantdb.Client // in the school's schema, and in no other

	gate  *gate
	users *users                      // nil where changes of them are not heard
	admit func(context.Context) error // says whether it can be served; nil if it can
}

// New returns the registry of the schools in the databases of pools, and tells pools where databases
// other than primary are.
func New(pools *postgres.Pools, options Options) *Registry {
	direct := cmp.Or(options.Direct, pools.Primary().URL)
	return newRegistry(pools, pools.Database(postgres.Primary), func() (*pgx.ConnConfig, error) { return postgres.ConnConfig(direct) }, options)
}

func newRegistry(pools *postgres.Pools, primary entpgx.Pool, direct func() (*pgx.ConnConfig, error), options Options) *Registry {
	r := &Registry{
		db:    entpgx.New(primary, entpgx.Options{Translate: translate, Unanswered: fault.Doubt, MaxScopes: 256}),
		pools: pools, options: options, direct: direct,
		memory: &memory{schools: map[uuid.UUID]*schoolEntry{}},
	}
	r.public = publicdb.NewClient(publicdb.Driver(r.db.Driver(scope(publicSchema))))
	r.hosts = newIndex(r.memory, hostIndex, r.query(byDomain), r.tenant)
	r.contacts = newIndex(r.memory, contactIndex, r.query(byContact), r.tenant)
	r.keys, r.users = newKeys(r.memory), newUsers(r.memory)
	r.addresses = &addresses{public: r.public, known: map[string]postgres.Registration{postgres.Primary: pools.Primary()}}
	pools.Others(r.addresses.find)
	return r
}

// translate is postgres.Fault, and says that a change may have been made although its answer was lost.
func translate(err error) error {
	if errors.Is(err, entpgx.ErrUnanswered) {
		return fault.New(fault.DatabaseUnavailable, "The connection to the database was lost at the end: whether this was done is unknown.").Because(err)
	}
	return postgres.Fault(err)
}

// LimitSchools lets a school have at most so many requests at work at once (Tenant.Enter). It goes
// before the first look-up.
func (r *Registry) LimitSchools(most int) { r.memory.perSchool = most }

// scope is what statements on a schema run under: its path alone, never public behind it.
func scope(schema string) entpgx.Scope { return entpgx.Scope{SearchPath: postgres.Ident(schema)} }

// Close waits for look-ups that are under way and lets go of the pools; whoever opened them closes
// them.
func (r *Registry) Close() error {
	r.hosts.asker.wait()
	r.contacts.asker.wait()
	return r.db.Close()
}

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
	if r.options.Roles {
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
// serve for now, or is behind what the program requires, is SchoolUnavailable.
func (r *Registry) ByHost(ctx context.Context, host string) (*Tenant, error) {
	name, err := NormaliseHost(host)
	if err != nil {
		return nil, unknownHost()
	}
	found, err := r.hosts.find(ctx, name)
	return admitted(ctx, found, err)
}

// ByContact returns the school of a WhatsApp contact, by phone number (E.164) or WhatsApp user id.
// One that no school has, or a deleted one, is NotFound; else it fails as ByHost does.
func (r *Registry) ByContact(ctx context.Context, contact string) (*Tenant, error) {
	if len(contact) > 128 || strings.ContainsRune(contact, 0) || !utf8.ValidString(contact) { // none that the table can hold
		return nil, unknownContact()
	}
	found, err := r.contacts.find(ctx, contact)
	return admitted(ctx, found, err)
}

// tenant opens a school, if it can be served; a deleted one is none.
func (r *Registry) tenant(found row, e *schoolEntry) (*Tenant, error) {
	switch {
	case found.state == school.StateDeleted:
		return nil, nil //nolint:nilnil // the index knows what to say of it
	case found.state != school.StateReady:
		return nil, &fault.Error{Kind: fault.SchoolUnavailable, Message: "The school can't be served at this moment.", RetryAfter: 10 * time.Second}
	case !found.active:
		return nil, fault.New(fault.SchoolInactive, "The school is switched off.")
	}
	t := &Tenant{ID: found.id, Code: found.code, Name: found.name, DB: r.client(&found.placed), gate: e.gate}
	if DatabaseOf(&found.placed) == postgres.Primary {
		t.users = r.users
	}
	if found.version < r.options.Requires {
		t.admit = func(ctx context.Context) error { return r.caughtUp(ctx, &found.placed, &e.own) }
	}
	return t, nil
}

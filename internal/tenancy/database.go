package tenancy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/database"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// DatabaseOf names the database of a school for Schema and InTxAt: the registered one, or "name/own"
// for a school that is alone in one. Its own database is called like its schema; where the registered
// database is itself for one school, that is the one.
func DatabaseOf(s *publicdb.School) string {
	if s.Isolation == school.IsolationDatabase {
		return s.Database + "/" + s.SchemaName
	}
	return s.Database
}

// on returns the driver of a database.
func (r *Registry) on(name string) *entpgx.DB { return r.db.On(r.pools.Database(name)) }

// OnConn runs do with a connection to a database, whose search_path is empty. It must leave nothing on
// the session.
func (r *Registry) OnConn(ctx context.Context, name string, do func(*pgx.Conn) error) error {
	return r.pools.Database(name).With(ctx, do)
}

// Forget lets go of the connections to a database, and to those on its server that schools have for
// their own: the next use goes to where it is registered then.
func (r *Registry) Forget(name string) { r.pools.Forget(name) }

// Primary returns where the primary database is. Its URL may hold a password.
func (r *Registry) Primary() postgres.Registration { return r.pools.Primary() }

// RegistrationOf returns a row as the pools understand it.
func RegistrationOf(row *publicdb.Database) postgres.Registration {
	registration := postgres.Registration{URL: row.URL, Dedicated: row.Kind == database.KindDedicated}
	if row.PasswordRef != nil {
		registration.PasswordRef = *row.PasswordRef
	}
	return registration
}

// addresses finds databases in the table of registered ones. What it has found it keeps for the time
// when primary can't be asked: the schools elsewhere go on.
type addresses struct {
	public *publicdb.Client
	mu     sync.Mutex
	known  map[string]postgres.Registration // by registered name
}

// askTimeout bounds how long primary is asked for what is known already.
const askTimeout = 2 * time.Second

// find is a postgres.Lookup.
func (a *addresses) find(ctx context.Context, name string) (string, error) {
	name, own, _ := strings.Cut(name, "/")
	registration, err := a.registration(ctx, name)
	if err != nil {
		return "", err
	}
	return registration.Address(own)
}

func (a *addresses) registration(ctx context.Context, name string) (postgres.Registration, error) {
	if name == postgres.Primary {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.known[name], nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	row, err := a.public.Database.Query().Where(database.Name(name)).Only(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if fault.Is(err, fault.DatabaseUnavailable) {
		if registration, found := a.known[name]; found {
			return registration, nil
		}
	}
	if err != nil {
		return postgres.Registration{}, fmt.Errorf("looking for its registration: %w", err)
	}
	a.known[name] = RegistrationOf(row)
	return a.known[name], nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/jobs"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// privateDatabase is the name of the database in the private PostgreSQL.
const privateDatabase = "homeroom"

// server is a PostgreSQL to work on: the one that was named, or the private one.
type server struct {
	url     string
	direct  string           // the same past a pooler; "" where no such way is known
	private *embedded.Server // nil where a URL was given
}

// Close lets go of the private PostgreSQL.
func (s *server) Close() error {
	if s.private == nil {
		return nil
	}
	return s.private.Close()
}

// reach returns the PostgreSQL that the settings name, started if it is the private one.
func reach(ctx context.Context, database config.Database, checked config.Checked) (*server, error) {
	if checked.DatabaseURL != "" {
		return &server{url: checked.DatabaseURL, direct: checked.DirectDatabaseURL}, nil
	}
	dir, err := filepath.Abs(filepath.Join(database.DataDir, "postgres"))
	if err != nil {
		return nil, err
	}
	private, err := embedded.Start(ctx, embedded.Options{Dir: dir, Bin: database.PostgresBin})
	if err != nil {
		return nil, err
	}
	s := &server{url: private.URL(privateDatabase), private: private}
	if err := s.createDatabase(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *server) createDatabase(ctx context.Context) error {
	return withConn(ctx, s.private.URL("postgres"), func(conn *pgx.Conn) error {
		// One at a time: two first commands may come at once.
		_, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('homeroom_create', 0))")
		if err != nil {
			return err
		}
		var exists bool
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", privateDatabase).Scan(&exists)
		if err != nil || exists {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE "+postgres.Ident(privateDatabase))
		return err
	})
}

func withConn(ctx context.Context, url string, do func(*pgx.Conn) error) error {
	conn, err := postgres.Connect(ctx, url)
	if err != nil {
		return postgres.Fault(err)
	}
	err = do(conn)
	return errors.Join(err, closeConn(ctx, conn))
}

// onDirect runs do with a connection past the pooler, if one is known of. It must lead to the same database:
// what is changed through one and listened to through the other would not be heard.
func (s *server) onDirect(ctx context.Context, do func(*pgx.Conn) error) error {
	if s.direct == "" {
		return withConn(ctx, s.url, do)
	}
	return withConn(ctx, s.direct, func(direct *pgx.Conn) error {
		err := withConn(ctx, s.url, func(conn *pgx.Conn) error { return checkDirect(ctx, conn, direct) })
		if err != nil {
			return err
		}
		return do(direct)
	})
}

// checkDirect refuses a direct connection that is none, or that leads elsewhere than conn.
func checkDirect(ctx context.Context, conn, direct *pgx.Conn) error {
	pooled, err := entpgx.Pooled(ctx, direct)
	if err != nil {
		return postgres.Fault(err)
	}
	if pooled {
		return usage("HOMEROOM_DIRECT_DATABASE_URL takes a way past the connection pooler, but leads through one")
	}
	same, err := postgres.Same(ctx, conn, direct)
	if err == nil && !same {
		return usage("HOMEROOM_DIRECT_DATABASE_URL takes the database of HOMEROOM_DATABASE_URL, but leads to another")
	}
	return postgres.Fault(err)
}

// reachTimeout bounds connecting and saying goodbye.
const reachTimeout = 5 * time.Second

func closeConn(ctx context.Context, conn *pgx.Conn) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout)
	defer cancel()
	return conn.Close(closing)
}

// directories are the migrations that this program carries.
type directories struct{ public, tenant *fleet.Directory }

func loadDirectories() (d directories, err error) {
	if d.public, err = fleet.Load(atlas.Public()); err != nil {
		return d, err
	}
	d.tenant, err = fleet.Load(atlas.Tenant())
	return d, err
}

// place is all that a command works with: a PostgreSQL whose public schema is current, and the
// platform over it.
type place struct {
	*server
	pools    *postgres.Pools
	registry *tenancy.Registry
	platform *platform.Platform
	checked  config.Checked
}

// Close closes what open opened.
func (p *place) Close() error {
	err := p.registry.Close()
	p.pools.Close()
	return errors.Join(err, p.server.Close())
}

// open opens the place that the settings name. On a private PostgreSQL the public schema is
// migrated first; on another a public schema that is behind is an error that exits with 3.
func open(ctx context.Context, database config.Database, hosts config.Platform, service *config.Service, migrate bool) (*place, error) {
	checked, err := config.Check(&database, &hosts, service, tenancy.NormaliseHost)
	if err != nil {
		return nil, err
	}
	dirs, err := loadDirectories()
	if err != nil {
		return nil, err
	}
	s, err := reach(ctx, database, checked)
	if err != nil {
		return nil, err
	}
	if s.private != nil && checked.BaseDomain == "" {
		checked.BaseDomain = "localhost"
	}
	var roles bool
	if err := s.onDirect(ctx, func(conn *pgx.Conn) error {
		if roles, err = tenantRoles(ctx, conn, checked.TenantRoles); err != nil {
			return err
		}
		if err := checkPublic(ctx, conn, dirs.public, migrate || s.private != nil); err != nil || service == nil {
			return err
		}
		return checkJobs(ctx, conn, migrate || s.private != nil)
	}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	conns := checked.MaxConns
	if service != nil {
		conns -= jobs.Conns
	}
	return newPlace(s, checked, dirs, roles, conns)
}

// newPlace is the place at a server, whatever state its public schema is in.
func newPlace(s *server, checked config.Checked, dirs directories, roles bool, conns int32) (*place, error) {
	pools, err := postgres.NewPools(s.url, conns)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	registry := tenancy.New(pools, tenancy.Options{Roles: roles, Direct: s.direct, Requires: dirs.tenant.Requires()})
	registry.LimitSchools(checked.SchoolMaxConcurrency)
	return &place{
		server: s, pools: pools, registry: registry, checked: checked,
		platform: platform.New(registry, dirs.tenant, platform.Settings{BaseDomain: checked.BaseDomain, PublicHosts: checked.PublicHosts, TenantRoles: roles}, time.Now),
	}, nil
}

// tenantRoles decides whether schools have PostgreSQL roles of their own: by default where the login
// may create roles.
func tenantRoles(ctx context.Context, conn *pgx.Conn, setting string) (bool, error) {
	if setting == "off" {
		return false, nil
	}
	var may bool
	if err := conn.QueryRow(ctx, "SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user").Scan(&may); err != nil {
		return false, postgres.Fault(err)
	}
	if setting == "on" && !may {
		return false, usage("HOMEROOM_TENANT_ROLES is on, but the login may not create roles: ALTER ROLE ... CREATEROLE, or set it to off")
	}
	return may, nil
}

func checkPublic(ctx context.Context, conn *pgx.Conn, dir *fleet.Directory, migrate bool) error {
	if migrate {
		_, err := dir.Apply(ctx, conn, publicSchema)
		return err
	}
	state, err := dir.Status(ctx, conn, publicSchema)
	if err != nil {
		return postgres.Fault(err)
	}
	if len(state.Pending) > 0 {
		return exitError{exitNotReady, fmt.Errorf("the public schema is %d migrations behind: run \"homeroom migrate apply\", or serve with --migrate", len(state.Pending))}
	}
	return nil
}

const publicSchema = "public"

// Package testkit gives a test what it needs of a running system: a database of its own on a
// private PostgreSQL, migrated, and empty schools in it.
package testkit

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/homeroom-sms/homeroom/atlas"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// server is the PostgreSQL of all test processes of this user: the first starts it, the last that
// goes stops it, also when it was killed.
var server = sync.OnceValues(func() (*embedded.Server, error) {
	return embedded.Start(context.Background(), embedded.Options{
		Dir:      filepath.Join(os.TempDir(), fmt.Sprintf("homeroom-test-%d", os.Getuid())),
		Volatile: true, MaxConnections: 300,
	})
})

var directories = sync.OnceValues(func() (dirs [2]*fleet.Directory, err error) {
	if dirs[0], err = fleet.Load(atlas.Public()); err != nil {
		return dirs, err
	}
	dirs[1], err = fleet.Load(atlas.Tenant())
	return dirs, err
})

// Public returns the migrations of the public schema.
func Public(t testing.TB) *fleet.Directory { return load(t)[0] }

// Tenant returns the migrations of a school's schema.
func Tenant(t testing.TB) *fleet.Directory { return load(t)[1] }

func load(t testing.TB) [2]*fleet.Directory {
	t.Helper()
	dirs, err := directories()
	must(t, err)
	return dirs
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Conn returns a connection, as the superuser, to a database of the private server. It is closed
// with the test.
func Conn(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	s, err := server()
	must(t, err)
	conn, err := pgx.Connect(context.Background(), s.URL(database))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// EmptyDatabase returns the URL of a new, empty database, dropped with the test.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template1")
}

// Database returns the URL of a new database whose public schema is at its last revision, dropped
// with the test.
func Database(t testing.TB) string {
	t.Helper()
	return newDatabase(t, template(t))
}

func newDatabase(t testing.TB, from string) string {
	t.Helper()
	admin := Conn(t, "postgres")
	name := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	_, err := admin.Exec(context.Background(), "CREATE DATABASE "+name+" TEMPLATE "+from)
	must(t, err)
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	s, err := server()
	must(t, err)
	return s.URL(name)
}

// template returns a database with the migrated public schema, to be copied.
// Its name says which migrations it holds.
func template(t testing.TB) string {
	t.Helper()
	sum := fnv.New64a()
	sum.Write([]byte(Public(t).CreateScript("x") + Tenant(t).CreateScript("x")))
	name := fmt.Sprintf("template_%x", sum.Sum64())
	ctx, admin := context.Background(), Conn(t, "postgres")
	_, err := admin.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('homeroom_template', 0))")
	must(t, err)
	defer func() {
		_, err := admin.Exec(ctx, "SELECT pg_advisory_unlock_all()")
		must(t, err)
	}()
	var done bool
	must(t, admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&done))
	if done {
		return name
	}
	dropLeftovers(t, admin)
	_, err = admin.Exec(ctx, "CREATE DATABASE "+name+"_new")
	must(t, err)
	s, err := server()
	must(t, err)
	conn, err := pgx.Connect(ctx, s.URL(name+"_new"))
	must(t, err)
	_, err = Public(t).Apply(ctx, conn, "public")
	must(t, errors.Join(err, conn.Close(ctx)))
	_, err = admin.Exec(ctx, "ALTER DATABASE "+name+"_new RENAME TO "+name)
	must(t, err)
	return name
}

// dropLeftovers drops what tests that were killed have left, and templates of other migrations.
// A database in use refuses and stays.
func dropLeftovers(t testing.TB, admin *pgx.Conn) {
	t.Helper()
	rows, err := admin.Query(context.Background(), `SELECT datname FROM pg_database WHERE datname ~ '^(t|template)_'`)
	must(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	for _, name := range names {
		_, err := admin.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "55006" { // object_in_use
			continue
		}
		must(t, err)
	}
}

// Pool returns a pool on the database at url, closed with the test. Its search_path is empty, so a
// statement that forgot its school fails.
func Pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(url, 8)
	must(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// Registry returns the registry of a new, migrated database without schools.
func Registry(t testing.TB) *tenancy.Registry {
	t.Helper()
	registry := tenancy.New(Pool(t, Database(t)))
	t.Cleanup(func() { must(t, registry.Close()) })
	return registry
}

// School returns the client of a new, empty school.
func School(t testing.TB) *tenantdb.Client {
	t.Helper()
	registry := Registry(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := registry.Public().ExecContext(ctx, Tenant(t).CreateScript("school_test"))
	must(t, err)
	return registry.Schema("school_test")
}

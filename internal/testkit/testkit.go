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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/atlas"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/jobs"
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
func Public(tb testing.TB) *fleet.Directory {
	tb.Helper()
	return load(tb)[0]
}

// Tenant returns the migrations of a school's schema.
func Tenant(tb testing.TB) *fleet.Directory {
	tb.Helper()
	return load(tb)[1]
}

func load(tb testing.TB) [2]*fleet.Directory {
	tb.Helper()
	dirs, err := directories()
	must(tb, err)
	return dirs
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Conn returns a connection, as the superuser, to a database of the private server. It is closed
// with the test.
func Conn(tb testing.TB, database string) *pgx.Conn {
	tb.Helper()
	s, err := server()
	must(tb, err)
	conn, err := pgx.Connect(context.Background(), s.URL(database))
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// EmptyDatabase returns the URL of a new, empty database, dropped with the test.
func EmptyDatabase(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, "template1")
}

// Database returns the URL of a new database whose public schema is at its last revision, dropped
// with the test.
func Database(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, template(tb))
}

func newDatabase(tb testing.TB, from string) string {
	tb.Helper()
	admin := Conn(tb, "postgres")
	name := fmt.Sprintf("t_%d_%s", os.Getpid(), strings.ReplaceAll(uuid.NewString(), "-", ""))
	_, err := admin.Exec(context.Background(), "CREATE DATABASE "+name+" TEMPLATE "+from)
	must(tb, err)
	tb.Cleanup(func() {
		dropDatabase(tb, admin, name)
	})
	s, err := server()
	must(tb, err)
	return s.URL(name)
}

// dropDatabase drops a database and the roles of its schools, which belong to the server.
func dropDatabase(tb testing.TB, admin *pgx.Conn, name string) {
	tb.Helper()
	ctx := context.Background()
	s, err := server()
	must(tb, err)
	var roles []string
	if conn, err := pgx.Connect(ctx, s.URL(name)); err == nil { // a test may have dropped it or shut it
		rows, err := conn.Query(ctx, "SELECT rolname FROM pg_namespace, aclexplode(nspacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE rolname LIKE 'hr\\_%'")
		if err == nil {
			roles, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		must(tb, errors.Join(err, conn.Close(ctx)))
	}
	_, err = admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	must(tb, err)
	for _, role := range roles {
		_, err := admin.Exec(ctx, "DROP ROLE IF EXISTS "+postgres.Ident(role))
		must(tb, err)
	}
}

// template returns a database with the migrated public schema and that of jobs, to be copied.
// Its name says which migrations it holds.
func template(tb testing.TB) string {
	tb.Helper()
	sum := fnv.New64a()
	version, err := jobs.Version()
	must(tb, err)
	sum.Write([]byte(Public(tb).CreateScript("x") + Tenant(tb).CreateScript("x") + strconv.Itoa(version)))
	name := fmt.Sprintf("template_%x", sum.Sum64())
	ctx, admin := context.Background(), Conn(tb, "postgres")
	_, err = admin.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('homeroom_template', 0))")
	must(tb, err)
	defer func() {
		_, err := admin.Exec(ctx, "SELECT pg_advisory_unlock_all()")
		must(tb, err)
	}()
	var done bool
	must(tb, admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&done))
	if done {
		return name
	}
	dropLeftovers(tb, admin)
	_, err = admin.Exec(ctx, "CREATE DATABASE "+name+"_new")
	must(tb, err)
	s, err := server()
	must(tb, err)
	conn, err := pgx.Connect(ctx, s.URL(name+"_new"))
	must(tb, err)
	_, err = Public(tb).Apply(ctx, conn, "public")
	must(tb, errors.Join(err, jobs.Migrate(ctx, conn), conn.Close(ctx)))
	_, err = admin.Exec(ctx, "ALTER DATABASE "+name+"_new RENAME TO "+name)
	must(tb, err)
	return name
}

// keptTemplates is how many templates are kept: one for each state of the migrations that checkouts
// on this machine are at.
const keptTemplates = 8

// dropLeftovers drops what test processes that were killed have left, and old templates.
func dropLeftovers(tb testing.TB, admin *pgx.Conn) {
	tb.Helper()
	rows, err := admin.Query(context.Background(), `SELECT datname FROM pg_database WHERE datname ~ '^(t|template)_' ORDER BY oid DESC`)
	must(tb, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(tb, err)
	templates := 0
	for _, name := range names {
		var pid int
		if _, err := fmt.Sscanf(name, "t_%d_", &pid); err == nil {
			if syscall.Kill(pid, 0) == nil {
				continue
			}
		} else if templates++; templates < keptTemplates {
			continue
		}
		dropDatabase(tb, admin, name)
	}
}

// SecondServer returns another PostgreSQL than the one of all tests, for this test to use and to stop.
// To start it again, call the function.
func SecondServer(tb testing.TB) (second *embedded.Server, again func() *embedded.Server) {
	tb.Helper()
	dir := TempDir(tb)
	again = func() *embedded.Server {
		s, err := embedded.Start(context.Background(), embedded.Options{Dir: dir, Volatile: true})
		must(tb, err)
		tb.Cleanup(func() { must(tb, s.Close()) })
		return s
	}
	return again(), again
}

// On runs SQL, as the superuser, in a database of a server.
func On(tb testing.TB, url, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	must(tb, err)
	_, err = conn.Exec(context.Background(), sql)
	must(tb, errors.Join(err, conn.Close(context.Background())))
}

// Pools returns the pools of the database at url and of those registered in it, closed with the test.
// The search_path of their connections is empty, so a statement that forgot its school fails.
func Pools(tb testing.TB, url string) *postgres.Pools {
	tb.Helper()
	pools, err := postgres.NewPools(url, 8)
	must(tb, err)
	tb.Cleanup(pools.Close)
	return pools
}

// Registry returns the registry of a new, migrated database without schools.
func Registry(tb testing.TB) *tenancy.Registry {
	tb.Helper()
	registry := tenancy.New(Pools(tb, Database(tb)), tenancy.Options{Roles: true})
	tb.Cleanup(func() { must(tb, registry.Close()) })
	return registry
}

// School returns the client of a new, empty school.
func School(tb testing.TB) *tenantdb.Client {
	tb.Helper()
	registry := Registry(tb)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := registry.Public().ExecContext(ctx, Tenant(tb).CreateScript("school_test"))
	must(tb, err)
	return registry.Schema(postgres.Primary, "school_test")
}

// TempDir returns a folder for a private PostgreSQL, removed with the test: one that the server's
// account can enter, which as root is another than the test's.
func TempDir(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		must(tb, os.Chmod(d, 0o755))
	}
	return dir
}

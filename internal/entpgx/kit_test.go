package entpgx_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// schema is the first of the schemas that hold a school in these tests.
const schema = "school_a"

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// database returns a database with schools in the given schemas.
func database(tb testing.TB, schemas ...string) string {
	tb.Helper()
	url := testkit.EmptyDatabase(tb)
	conn, err := pgx.Connect(context.Background(), url)
	must(tb, err)
	for _, name := range schemas {
		_, err := conn.Exec(context.Background(), testkit.Tenant(tb).CreateScript(name))
		must(tb, err)
	}
	must(tb, conn.Close(context.Background()))
	return url
}

// open returns a DB on the database at url, and its pool.
func open(tb testing.TB, url string, options entpgx.Options, configure ...func(*pgxpool.Config)) (*entpgx.DB, *pgxpool.Pool) {
	tb.Helper()
	config, err := pgxpool.ParseConfig(url)
	must(tb, err)
	config.MaxConns = 4
	config.ConnConfig.RuntimeParams["search_path"] = ""
	for _, c := range configure {
		c(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	must(tb, err)
	db := entpgx.New(plain{pool}, options)
	tb.Cleanup(func() { must(tb, db.Close()); pool.Close() })
	return db, pool
}

// plain is a pool that gives any connection.
type plain struct{ pool *pgxpool.Pool }

func (p plain) Acquire(ctx context.Context, _ string) (*pgxpool.Conn, error) {
	return p.pool.Acquire(ctx)
}
func (plain) Release(conn *pgxpool.Conn) { conn.Release() }

// asPooled has connections whose statements bear no names, as behind a pooler.
func asPooled(config *pgxpool.Config) {
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		entpgx.Unname(conn)
		return nil
	}
}

// asUsual has connections as they are.
func asUsual(*pgxpool.Config) {}

func one(config *pgxpool.Config) { config.MaxConns = 1 }

func scope(name string) entpgx.Scope {
	return entpgx.Scope{SearchPath: pgx.Identifier{name}.Sanitize()}
}

// on is a test over one way to the database.
type on struct {
	*testing.T
	drv dialect.Driver
}

// each runs a test over every way to the database, one after the other: database/sql, whose outcomes
// are the ones to have, ours, and ours as behind a pooler.
func each(t *testing.T, test func(on)) {
	t.Helper()
	url := database(t, schema)
	named, _ := open(t, url, entpgx.Options{})
	unnamed, _ := open(t, url, entpgx.Options{}, asPooled)
	for _, way := range []struct {
		name string
		drv  dialect.Driver
	}{{"database/sql", usual(t, url)}, {"named", named.Driver(scope(schema))}, {"unnamed", unnamed.Driver(scope(schema))}} {
		t.Run(way.name, func(t *testing.T) { test(on{t, way.drv}) })
		script(t, url, fmt.Sprintf("DELETE FROM %[1]s.attendance_records; DELETE FROM %[1]s.students; DROP TABLE IF EXISTS %[1]s.extra", schema))
	}
}

// usual is ent's own driver over database/sql, whose connections are in the one schema.
func usual(tb testing.TB, url string) *entsql.Driver {
	tb.Helper()
	config, err := pgx.ParseConfig(url)
	must(tb, err)
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		_, err := conn.Exec(ctx, "SET search_path = "+schema)
		return err
	}))
	db.SetMaxOpenConns(4)
	tb.Cleanup(func() { must(tb, db.Close()) })
	return entsql.OpenDB(dialect.Postgres, db)
}

func client(drv dialect.Driver) *tenantdb.Client { return tenantdb.NewClient(tenantdb.Driver(drv)) }

func add(db *tenantdb.Client, number string) *tenantdb.StudentCreate {
	return db.Student.Create().SetAdmissionNumber(number).SetFirstName("Amina").SetLastName("Okafor")
}

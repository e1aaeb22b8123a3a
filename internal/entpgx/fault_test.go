package entpgx_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
)

func query(tb testing.TB, on dialect.ExecQuerier, text string, args ...any) *entsql.Rows {
	tb.Helper()
	rows := &entsql.Rows{}
	must(tb, on.Query(context.Background(), text, args, rows))
	return rows
}

// one value, as text, or the error's SQLSTATE.
func value(on dialect.ExecQuerier, text string, args ...any) string {
	rows := &entsql.Rows{}
	if err := on.Query(context.Background(), text, args, rows); err != nil {
		return sqlState(err)
	}
	defer func() { _ = rows.Close() }()
	got, err := entsql.ScanString(rows)
	if err != nil {
		return err.Error()
	}
	return got
}

// script runs SQL outside of any scope.
func script(tb testing.TB, url, text string) {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	must(tb, err)
	_, err = conn.Exec(context.Background(), text)
	must(tb, err)
	must(tb, conn.Close(context.Background()))
}

// TestRowsAreTheirOwn holds that rows keep their columns and their first row when the connection has
// gone on to other work.
func TestRowsAreTheirOwn(t *testing.T) {
	t.Parallel()
	db, _ := open(t, database(t), entpgx.Options{}, one)
	drv := db.Driver(scope("pg_catalog"))
	for range 2 {
		for _, n := range []int{0, 1} {
			rows := query(t, drv, "SELECT 'one' AS first, n AS second FROM generate_series(1, $1::int) n", n)
			value(drv, "SELECT 'other' AS other")
			if columns, err := rows.Columns(); err != nil || !slices.Equal(columns, []string{"first", "second"}) {
				t.Errorf("columns of %d rows: %v %v", n, columns, err)
			}
			var first string
			var second int
			if rows.Next() != (n == 1) || n == 1 && (rows.Scan(&first, &second) != nil || first != "one" || second != 1) || rows.Next() {
				t.Errorf("%d rows: %q %d", n, first, second)
			}
			if err := rows.Scan(&first, &second); err == nil {
				t.Error("scanned behind the last row")
			}
			must(t, errors.Join(rows.Close(), rows.Close()))
		}
	}
	rows := query(t, drv, "SELECT generate_series(1, 3)")
	var n int
	if err := rows.Scan(&n); err == nil {
		t.Error("scanned before the first row")
	}
	if rows.Next(); rows.Scan(&n, &n) == nil || rows.Scan(&n) != nil || n != 1 {
		t.Errorf("the first row: %d", n)
	}
	if must(t, rows.Close()); rows.Next() || rows.Scan(&n) == nil {
		t.Error("closed rows have rows")
	}
	tx, err := drv.Tx(t.Context())
	must(t, err)
	rows = query(t, tx, "SELECT generate_series(1, 3)")
	if err := tx.Exec(t.Context(), "SELECT 1", []any{}, nil); err == nil || sqlState(err) != "" {
		t.Errorf("a second statement: %v", err)
	}
	must(t, rows.Close())
	must(t, tx.Exec(t.Context(), "SELECT 1", []any{}, nil))
	must(t, tx.Commit())
}

// TestRevisions holds that the same text is right in scopes whose tables are of other types, in whatever
// order they come.
func TestRevisions(t *testing.T) {
	t.Parallel()
	url := database(t)
	types := []struct{ name, kind, first string }{
		{"a", "int4", "1234"}, {"b", "text", "1234"}, {"c", "int8", "5000000000"}, {"d", "numeric", "12345678"}, {"e", "bool", "false"}, {"f", "varchar(9)", "t"}, {"g", "bytea", "\\x31"}, {"h", "float8", "1.5"},
	}
	for _, s := range types {
		script(t, url, fmt.Sprintf("CREATE SCHEMA %[1]s; CREATE TABLE %[1]s.t (v %[2]s); INSERT INTO %[1]s.t VALUES ('%[3]s')", s.name, s.kind, s.first))
	}
	script(t, url, "ALTER TABLE d.t ADD w int DEFAULT 7")
	for _, way := range []func(*pgxpool.Config){asUsual, asPooled} {
		for from := range types {
			db, _ := open(t, url, entpgx.Options{}, one, way)
			for i := range 2 * len(types) {
				s := types[(from+i)%len(types)]
				drv := db.Driver(scope(s.name))
				want := map[string]string{"g": "1"}[s.name]
				if want == "" {
					want = s.first
				}
				if got := value(drv, "SELECT v FROM t"); got != want {
					t.Errorf("from %d, %s: %s, want %s", from, s.kind, got, want)
				}
				if got := value(drv, "SELECT 'found' FROM t WHERE v = $1", s.first); got != "found" && s.kind != "float8" {
					t.Errorf("from %d, %s: %s by value", from, s.kind, got)
				}
				columns, err := query(t, drv, "SELECT * FROM t").Columns()
				if must(t, err); len(columns) != 1+map[string]int{"d": 1}[s.name] {
					t.Errorf("from %d, %s: columns %v", from, s.kind, columns)
				}
			}
		}
	}
}

// TestMigratedUnderneath holds that a prepared statement whose result has changed its type goes through
// outside of a transaction, and fails in one with an error that says to try again.
func TestMigratedUnderneath(t *testing.T) {
	t.Parallel()
	url := database(t)
	script(t, url, "CREATE SCHEMA a; CREATE TABLE a.t (v varchar(9)); INSERT INTO a.t VALUES ('7')")
	db, _ := open(t, url, entpgx.Options{}, one)
	drv := db.Driver(scope("a"))
	for _, kind := range []string{"text", "int USING v::int", "varchar(3)", "bigint USING v::bigint"} {
		script(t, url, "ALTER TABLE a.t ALTER v TYPE "+kind)
		if got := value(drv, "SELECT v FROM t"); got != "7" {
			t.Errorf("%s: %s", kind, got)
		}
	}
	tx, err := drv.Tx(t.Context())
	must(t, err)
	script(t, url, "ALTER TABLE a.t ALTER v TYPE text")
	if err := tx.Query(t.Context(), "SELECT v FROM t", []any{}, &entsql.Rows{}); !pgconn.SafeToRetry(err) {
		t.Errorf("in a transaction: %v", err)
	}
	must(t, tx.Rollback())
	tx, err = drv.Tx(t.Context())
	must(t, err)
	if got := value(tx, "SELECT v FROM t"); got != "7" {
		t.Errorf("again: %s", got)
	}
	must(t, tx.Commit())
	script(t, url, "ALTER TABLE a.t ALTER v TYPE int USING v::int")
	value(drv, "SELECT 'there' FROM t WHERE v < $1", 8)
	script(t, url, "ALTER TABLE a.t ALTER v TYPE bigint")
	if got := value(drv, "SELECT 'there' FROM t WHERE v < $1", 5_000_000_000); got != "there" {
		t.Errorf("a wider parameter: %s", got)
	}
}

// TestStatementsAreBounded holds that a connection keeps a bounded number of statements, however many
// are made and fail.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	db, pool := open(t, database(t), entpgx.Options{}, one)
	drv := db.Driver(scope("pg_catalog"))
	for i := range 700 {
		if got := value(drv, fmt.Sprintf("SELECT $1::text || '%d'", i), "x"); got != fmt.Sprintf("x%d", i) {
			t.Fatalf("%d: %s", i, got)
		}
		if i%7 == 0 {
			value(drv, fmt.Sprintf("SELECT 1/0 + %d", i))
			value(drv, fmt.Sprintf("SELECT nothing%d", i))
			value(db.Driver(entpgx.Scope{Role: "nobody at all"}), fmt.Sprintf("SELECT %d", i))
		}
	}
	var n int
	must(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements", pgx.QueryExecModeSimpleProtocol).Scan(&n))
	if n > 512+3 || n < 512 {
		t.Errorf("%d statements", n)
	}
}

type panicking struct{}

func (panicking) Value() (driver.Value, error) { panic("in an argument") }

// TestConnectionsComeBack holds that a connection comes back whatever its statement did.
func TestConnectionsComeBack(t *testing.T) {
	t.Parallel()
	db, pool := open(t, database(t), entpgx.Options{MaxScopes: 3}, one)
	drv := db.Driver(scope("pg_catalog"))
	for i := range 10 {
		func() {
			defer func() { _ = recover() }()
			value(drv, "SELECT $1::text", panicking{})
		}()
		value(drv, "SELECT $1::text")
		value(drv, "SELECT $1::int", make(chan int))
		value(drv, "SELECT $1::int", "x")
		value(db.Driver(scope(fmt.Sprint(i))), "SELECT 1/0")
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := drv.Exec(ctx, "SELECT pg_sleep(5)", []any{}, nil); err == nil {
			t.Error("slept")
		}
		stop()
		tx, err := drv.Tx(t.Context())
		must(t, err)
		func() {
			defer func() { _ = recover() }()
			value(tx, "SELECT $1::text", panicking{})
		}()
		must(t, tx.Rollback())
	}
	if stat := pool.Stat(); stat.AcquiredConns() != 0 {
		t.Errorf("%d connections are out", stat.AcquiredConns())
	}
}

// TestLostConnections holds that a transaction whose connection was lost is never said to be committed.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	db, _ := open(t, database(t), entpgx.Options{})
	drv := db.Driver(scope("pg_catalog"))
	for _, before := range []int{0, 1} {
		tx, err := drv.Tx(t.Context())
		must(t, err)
		for range before {
			must(t, tx.Exec(t.Context(), "SELECT 1", []any{}, nil))
		}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := tx.Exec(ctx, "SELECT pg_sleep(5)", []any{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after a time-out: %v", err)
		}
		stop()
		if err := tx.Commit(); !pgconn.SafeToRetry(err) {
			t.Errorf("commit: %v", err)
		}
		tx, err = drv.Tx(t.Context())
		must(t, err)
		value(tx, "SELECT pg_terminate_backend(pg_backend_pid())")
		if err := tx.Commit(); err == nil {
			t.Error("committed on an ended connection")
		}
	}
}

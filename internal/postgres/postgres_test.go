package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Each error of the server is told in words, with the part of the input that is to blame, and
// without a word of SQL.
func TestFault(t *testing.T) {
	t.Parallel()
	conn, ctx := testkit.Conn(t, "postgres"), t.Context()
	for _, statement := range []string{
		"CREATE TEMP TABLE parents (id int PRIMARY KEY, a text, b text, UNIQUE (a, b))",
		"CREATE TEMP TABLE children (id int PRIMARY KEY, parent_id int REFERENCES parents, name varchar(3) NOT NULL, n int CHECK (n > 0), d date)",
		"INSERT INTO parents VALUES (1, 'secret', 'x')", "INSERT INTO children VALUES (1, 1, 'a', 1)",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		statement string
		args      []any
		kind      fault.Kind
		location  string
	}{
		{"INSERT INTO parents VALUES (1)", nil, fault.Conflict, "body.id"},
		{"INSERT INTO parents VALUES (2, 'secret', 'x')", nil, fault.Conflict, "body.a"},
		{"INSERT INTO children VALUES (2, 9, 'a')", nil, fault.InvalidInput, "body.parent_id"},
		{"DELETE FROM parents", nil, fault.Conflict, ""},
		{"INSERT INTO children VALUES (2, 1, NULL)", nil, fault.InvalidInput, "body.name"},
		{"INSERT INTO children VALUES (2, 1, 'long')", nil, fault.InvalidInput, ""},
		{"INSERT INTO children VALUES (2, 1, 'a', 0)", nil, fault.InvalidInput, ""},
		{"INSERT INTO children VALUES (2, 1, 'a', 99999999999)", nil, fault.InvalidInput, ""},
		{"SELECT '2020-02-31'::date", nil, fault.InvalidInput, ""},
		{"SELECT 'x'::uuid", nil, fault.InvalidInput, ""},
		{"SELECT $1::text", []any{"\x00"}, fault.InvalidInput, ""},
		{"SELECT $1::text", []any{"\xff"}, fault.InvalidInput, ""},
		{"CREATE SCHEMA public", nil, fault.Conflict, "body.schema_name"},
		{"SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", nil, fault.DatabaseUnavailable, ""},
		{"DO $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '40001'; END $$", nil, fault.Conflict, ""},
		{"DO $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '08006'; END $$", nil, fault.DatabaseUnavailable, ""},
		{"SELECT nonsense", nil, fault.Internal, ""},
	} {
		_, err := conn.Exec(ctx, c.statement, c.args...)
		f := fault.Of(postgres.Fault(err))
		if err == nil || f.Kind != c.kind || !errors.Is(f, err) {
			t.Errorf("%s: %v became %v", c.statement, err, f.Kind)
			continue
		}
		if c.location != "" && (len(f.Fields) == 0 || f.Fields[0].Location != c.location) {
			t.Errorf("%s: blames %v", c.statement, f.Fields)
		}
		if strings.Contains(f.Message, "secret") || strings.Contains(f.Message, "SQLSTATE") || strings.Contains(f.Message, "relation") {
			t.Errorf("%s: it says %q", c.statement, f.Message)
		}
	}
	if postgres.Fault(nil) != nil {
		t.Error("nothing became a fault")
	}
	known := fault.New(fault.Forbidden, "no")
	if got := postgres.Fault(known); !errors.Is(got, known) {
		t.Error("a fault became another")
	}
}

func TestFaultOfAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	pools, err := postgres.NewPools("postgres://nobody@127.0.0.1:1/none", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	ping := func(ctx context.Context) error {
		return postgres.Fault(pools.Database(postgres.Primary).With(ctx, func(*pgx.Conn) error { return nil }))
	}
	err = ping(t.Context())
	if f := fault.Of(err); f.Kind != fault.DatabaseUnavailable || f.RetryAfter <= 0 {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if f := fault.Of(ping(ctx)); f.Kind != fault.DatabaseUnavailable {
		t.Errorf("%+v", f)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	t.Parallel()
	if _, err := postgres.NewPools("postgres://u:hunter2@h:99999999/x", 2); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// A quoted text or name comes back from PostgreSQL as it was.
func FuzzQuoting(f *testing.F) {
	for _, seed := range []string{"a", `a"b`, "a'b", `\`, `\'; DROP TABLE x; --`, `"; --`, "é", "$1", "\n", "E'"} {
		f.Add(seed)
	}
	conn := testkit.Conn(f, "postgres")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Skip("PostgreSQL holds no such text")
		}
		for _, conforming := range []string{"on", "off"} {
			script := "SET standard_conforming_strings = " + conforming + "; SELECT " + postgres.Literal(text)
			if text != "" && len(text) <= 63 {
				script += " AS " + postgres.Ident(text)
			}
			results, err := conn.PgConn().Exec(t.Context(), script).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(results[1].Rows[0][0]); got != text {
				t.Errorf("with standard_conforming_strings %s, %q came back as %q", conforming, text, got)
			}
			if name := results[1].FieldDescriptions[0].Name; text != "" && len(text) <= 63 && name != text {
				t.Errorf("the name %q came back as %q", text, name)
			}
		}
	})
}

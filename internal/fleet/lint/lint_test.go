package lint

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"ariga.io/atlas/sql/migrate"

	"github.com/homeroom-sms/homeroom/atlas"
)

const initial = `CREATE TABLE t (id bigint NOT NULL, name varchar(20) NOT NULL, other varchar NULL, n int NULL, PRIMARY KEY (id));
CREATE TABLE u (id bigint NOT NULL, CONSTRAINT n CHECK (id > 0));
`

const outside = "-- atlas:txmode none\n\n"

// lintFile lints a file that comes after the initial one.
func lintFile(schema, text string) []Finding {
	files := []migrate.File{migrate.NewLocalFile("1_initial.sql", []byte(initial)), migrate.NewLocalFile("2_change.sql", []byte(text))}
	return Files(files, schema, func(f migrate.File) bool { return f.Version() == "2" })
}

func names(found []Finding) string {
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Rule)
	}
	return strings.Join(rules, " ")
}

// cases has files that break each rule, and that one alone, and files like them that break none.
var cases = map[string]struct{ bad, good []string }{
	"syntax": {
		[]string{"CREATE TABEL x (id int);", "SELECT '\xff';", "SELECT " + strings.Repeat("1+", 3000) + "1;", "SELECT 1 " + strings.Repeat("UNION SELECT 1, 2 ", 3000) + ";"},
		[]string{"SELECT 1;", "", "-- nothing", "INSERT INTO t VALUES " + strings.Repeat("(1, 'a', 'b', 2), ", 3000) + "(1, 'a', 'b', 2);"},
	},
	"drop-table": {
		[]string{"DROP TABLE t;", "DROP TABLE IF EXISTS x, t CASCADE;"},
		[]string{"CREATE TABLE x (id int); DROP TABLE x;", "DROP VIEW v;", "DROP INDEX i;"},
	},
	"drop-column": {
		[]string{"ALTER TABLE t DROP COLUMN name;", "ALTER TABLE t ADD COLUMN x int, DROP name;"},
		[]string{"CREATE TABLE x (id int, y int); ALTER TABLE x DROP COLUMN y;", "ALTER TABLE t DROP CONSTRAINT c;", "ALTER TABLE t ALTER name DROP NOT NULL;"},
	},
	"drop-schema": {[]string{"DROP SCHEMA s CASCADE;"}, []string{"DROP SEQUENCE s;"}},
	"truncate":    {[]string{"TRUNCATE t;", "TRUNCATE TABLE t, u;"}, []string{"DELETE FROM t WHERE id = 1;"}},
	"delete-all":  {[]string{"DELETE FROM t;"}, []string{"DELETE FROM t WHERE true;", "DELETE FROM t USING u WHERE u.id = t.id;"}},
	"add-not-null": {
		[]string{"ALTER TABLE t ADD COLUMN x int NOT NULL;", "ALTER TABLE t ADD x int, ADD y text NOT NULL;"},
		[]string{"ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 0;", "ALTER TABLE t ADD COLUMN x int;", "CREATE TABLE x (id int); ALTER TABLE x ADD COLUMN y int NOT NULL;"},
	},
	"set-not-null": {
		[]string{
			"ALTER TABLE t ALTER COLUMN n SET NOT NULL;",
			"ALTER TABLE t ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID; ALTER TABLE t ALTER COLUMN n SET NOT NULL;",
			"ALTER TABLE t ADD CONSTRAINT c CHECK (other IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN n SET NOT NULL;",
			"ALTER TABLE t ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ALTER COLUMN n SET NOT NULL;",
		},
		[]string{"ALTER TABLE t ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN n SET NOT NULL;"},
	},
	"change-type": {
		[]string{
			"ALTER TABLE t ALTER COLUMN name TYPE varchar(10);", "ALTER TABLE t ALTER COLUMN other TYPE varchar(10);", "ALTER TABLE t ALTER COLUMN n TYPE bigint;",
			"ALTER TABLE t ALTER COLUMN name TYPE text USING lower(name);", "ALTER TABLE t ALTER COLUMN nobody_knows TYPE text;", "ALTER TABLE t ALTER COLUMN name TYPE text[];",
			"ALTER TABLE t ALTER COLUMN name TYPE varchar(30); ALTER TABLE t ALTER COLUMN name TYPE varchar(25);",
		},
		[]string{
			"ALTER TABLE t ALTER COLUMN name TYPE varchar(30);", "ALTER TABLE t ALTER COLUMN name TYPE varchar;", "ALTER TABLE t ALTER COLUMN name TYPE text;",
			"ALTER TABLE t ALTER COLUMN other TYPE text;", "CREATE TABLE x (id int); ALTER TABLE x ALTER id TYPE bigint;",
		},
	},
	"volatile-default": {
		[]string{
			"ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid();", "ALTER TABLE t ADD COLUMN x timestamptz NOT NULL DEFAULT clock_timestamp();", "ALTER TABLE t ADD x bigserial;",
			"ALTER TABLE t ADD x int GENERATED ALWAYS AS IDENTITY;", "ALTER TABLE t ADD x int GENERATED ALWAYS AS (n + 1) STORED;",
		},
		[]string{
			"ALTER TABLE t ADD COLUMN x timestamptz NOT NULL DEFAULT now();", "ALTER TABLE t ADD COLUMN x date DEFAULT current_date;", "ALTER TABLE t ADD COLUMN x text DEFAULT lower('A');",
			"ALTER TABLE t ALTER COLUMN id SET DEFAULT random();", "CREATE TABLE x (id uuid DEFAULT gen_random_uuid());",
		},
	},
	"rewrite-table": {
		[]string{outside + "VACUUM FULL t;", outside + "VACUUM (ANALYZE, FULL) t;", "CLUSTER t USING i;", "REINDEX TABLE t;", "ALTER TABLE t SET UNLOGGED;", outside + "REINDEX (CONCURRENTLY false) TABLE t;"},
		[]string{outside + "VACUUM t;", outside + "VACUUM (FULL false) t;", outside + "REINDEX TABLE CONCURRENTLY t;", "ANALYZE t;"},
	},
	"index-blocks": {
		[]string{"CREATE INDEX i ON t (n);", "CREATE INDEX IF NOT EXISTS i ON t (n) WHERE n > 0;"},
		[]string{"CREATE TABLE x (id int); CREATE INDEX i ON x (id);", outside + "CREATE INDEX CONCURRENTLY i ON t (n);"},
	},
	"unique-data": {
		[]string{outside + "CREATE UNIQUE INDEX CONCURRENTLY i ON t (n);"},
		[]string{"CREATE TABLE x (id int); CREATE UNIQUE INDEX i ON x (id);"},
	},
	"needs-txmode-none": {
		[]string{
			"CREATE INDEX CONCURRENTLY i ON t (n);", "-- atlas:txmode file\n\nCREATE INDEX CONCURRENTLY i ON t (n);", "DROP INDEX CONCURRENTLY i;", "VACUUM t;", "REINDEX INDEX CONCURRENTLY i;",
			"ALTER TABLE t DETACH PARTITION p CONCURRENTLY;",
		},
		[]string{outside + "DROP INDEX CONCURRENTLY i;", "DROP INDEX i;", outside + "ALTER TABLE t DETACH PARTITION p CONCURRENTLY;"},
	},
	"transaction": {[]string{"BEGIN;", "COMMIT;", "SAVEPOINT s;", "START TRANSACTION;", outside + "ROLLBACK;"}, []string{"DO $$ BEGIN PERFORM 1; END $$;"}},
	"constraint-scans": {
		[]string{
			"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (n) REFERENCES u (id);", "ALTER TABLE t ADD CHECK (n > 0);", "ALTER TABLE t ADD COLUMN x int CHECK (x > 0);",
			"ALTER TABLE t ADD COLUMN x int DEFAULT 1 REFERENCES u (id);",
		},
		[]string{
			"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (n) REFERENCES u (id) NOT VALID;", "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;", "ALTER TABLE t VALIDATE CONSTRAINT c;",
			"ALTER TABLE t ADD COLUMN x int REFERENCES u (id);", "CREATE TABLE x (id int REFERENCES u (id)); ALTER TABLE x ADD CHECK (id > 0);",
		},
	},
	"constraint-index": {
		[]string{"ALTER TABLE t ADD UNIQUE (n);", "ALTER TABLE u ADD PRIMARY KEY (id);", "ALTER TABLE t ADD COLUMN x int UNIQUE;", "ALTER TABLE t ADD EXCLUDE USING gist (n WITH =);"},
		[]string{"ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;", "ALTER TABLE u ADD PRIMARY KEY USING INDEX i;", "CREATE TABLE x (id int); ALTER TABLE x ADD UNIQUE (id);"},
	},
	"rename-table": {
		[]string{"ALTER TABLE t RENAME TO x;", "ALTER VIEW t RENAME TO x;"},
		[]string{"ALTER INDEX i RENAME TO j;", "CREATE TABLE x (id int); ALTER TABLE x RENAME TO y;", "ALTER TABLE t RENAME CONSTRAINT c TO d;"},
	},
	"rename-column": {[]string{"ALTER TABLE t RENAME COLUMN n TO m;", "ALTER TABLE t RENAME n TO m;"}, []string{"CREATE TABLE x (id int); ALTER TABLE x RENAME id TO y;"}},
	"foreign-name": {
		[]string{
			"CREATE TABLE public.x (id int);", "ALTER TABLE school_elm.t ADD COLUMN x int;", "CREATE TABLE x (id int REFERENCES public.clients (id));", "SELECT public.f();", "CREATE TYPE s.e AS ENUM ('a');",
			"CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "DROP FUNCTION s.f(int);", "DROP VIEW s.v;", "DROP TRIGGER x ON s.t;", "COMMENT ON TABLE s.t IS 'x';", "COMMENT ON COLUMN s.t.id IS 'x';",
			"CREATE TABLE x (id s.e);", "CREATE TABLE x (id int DEFAULT nextval('s.q'));", "SELECT 's.t'::regclass;", "SELECT s.t.id FROM t;", "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION public.f();",
			"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT count(*) FROM public.clients';", "DO $$ BEGIN DELETE FROM public.clients; END $$;", "SELECT 1 OPERATOR(s.+) 2;", "CREATE SEQUENCE s.q;",
		},
		[]string{
			"SELECT pg_catalog.now();", "CREATE TABLE x (id pg_catalog.int4, y text COLLATE pg_catalog.\"C\");", "DROP TRIGGER x ON t;", "COMMENT ON COLUMN t.id IS 'x';", "SELECT t.id, 'public.x' FROM t;",
			"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN RETURN NEW.id; END $$;", "DROP FUNCTION f(int);", "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
			"SELECT 1 OPERATOR(pg_catalog.+) 2;", "SELECT nextval('q'), 't'::regclass;",
		},
	},
	"outside-schema": {
		[]string{
			"CREATE SCHEMA s;", "SET search_path = x;", "SET LOCAL search_path TO x;", "RESET search_path;", "SELECT set_config('search_path', 'x', true);", "CREATE ROLE r;", "SET ROLE r;", "ALTER TABLE t SET SCHEMA s;",
			"RESET ALL;", "CREATE EXTENSION pgcrypto;", outside + "CREATE DATABASE d;", "DROP ROLE r;",
		},
		[]string{"SET LOCAL lock_timeout = '1s';", "SELECT set_config('lock_timeout', '1s', true);"},
	},
	"session-setting": {
		[]string{
			"SET lock_timeout = '1s';", "SET SESSION lock_timeout TO '1s';", "SET lock_timeout TO DEFAULT;", "SET TIME ZONE 'UTC';", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;",
			"SELECT set_config('lock_timeout', '1s', false);", "SELECT set_config('lock_timeout', '1s', n > 0) FROM t;",
		},
		[]string{"SET LOCAL lock_timeout = '1s';", "SET CONSTRAINTS ALL DEFERRED;", "SET TRANSACTION READ WRITE;", outside + "SET lock_timeout = '1s';", "UPDATE t SET n = 1 WHERE n = 2;"},
	},
	"citus-alone": {
		[]string{"ALTER TABLE t ADD COLUMN x int, ADD CONSTRAINT c CHECK (x > 0) NOT VALID;", "ALTER TABLE t ADD COLUMN x int, ALTER COLUMN n SET DEFAULT nextval('q');"},
		[]string{"ALTER TABLE t ADD COLUMN x int, ADD COLUMN y int NOT NULL DEFAULT 0, ALTER COLUMN n SET DEFAULT 1;", "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;"},
	},
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		for _, bad := range cases[r.name].bad {
			found := lintFile("", bad)
			if names(found) != r.name {
				t.Errorf("%s: %q is found by %q", r.name, start(bad), names(found))
				continue
			}
			if f := found[0]; f.Severity != r.severity || f.File != "2_change.sql" || f.Line < 1 || f.Why == "" || f.Instead == "" {
				t.Errorf("%+v", f)
			}
			statement := strings.TrimPrefix(bad, outside)
			head := strings.TrimSuffix(bad[:len(bad)-len(statement)], "\n") + "-- homeroom:nolint " + r.name + " nobody uses it\n\n"
			if found := lintFile("", head+statement); len(found) > 0 {
				t.Errorf("%s: %q is not silenced by the head: %+v", r.name, start(bad), found)
			}
		}
		for _, good := range cases[r.name].good {
			if found := lintFile("", good); len(found) > 0 {
				t.Errorf("%s: %q is found by %q", r.name, start(good), names(found))
			}
		}
		if r != nolint && len(cases[r.name].bad) == 0 {
			t.Errorf("the rule %s has no case", r.name)
		}
	}
}

func TestThePublicSchemaMayBeNamedByItsOwn(t *testing.T) {
	t.Parallel()
	if found := lintFile("public", "CREATE TABLE public.x (id int REFERENCES public.t (id)); CREATE EXTENSION pgcrypto;"); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	if found := lintFile("public", "ALTER TABLE school_elm.t ADD COLUMN x int;"); names(found) != "foreign-name" {
		t.Errorf("%+v", found)
	}
}

func TestWhereAFindingIs(t *testing.T) {
	t.Parallel()
	found := lintFile("", "-- Of old.\n\n-- A comment.\nALTER TABLE t\n  DROP COLUMN name,\n  DROP COLUMN n;\n\n/* another\none */ TRUNCATE\n  t;\n")
	if len(found) != 3 || found[0].Line != 4 || found[2].Line != 9 {
		t.Fatalf("%+v", found)
	}
	if f := found[0]; f.Statement != "ALTER TABLE t DROP COLUMN name, DROP COLUMN n;" || !strings.HasPrefix(f.Why, "name: ") {
		t.Errorf("%+v", f)
	}
}

func TestNolint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"-- homeroom:nolint drop-table unused since spring\nDROP TABLE t;":                                                          "",
		"-- Drop it.\n-- homeroom:nolint drop-table unused since spring\n-- At last.\nDROP TABLE t;":                                "",
		"SELECT 1;\n-- homeroom:nolint drop-table unused since spring\nDROP TABLE t;":                                               "",
		"-- homeroom:nolint drop-column unused\n-- homeroom:nolint set-not-null tiny\nALTER TABLE t DROP n, ALTER id SET NOT NULL;": "",
		"-- homeroom:nolint drop-table unused since spring\n\nDROP TABLE t; DROP TABLE u;":                                          "",
		"-- homeroom:nolint drop-table unused since spring\nDROP TABLE t;\nDROP TABLE u;":                                           "drop-table",
		"-- homeroom:nolint drop-table unused since spring\nTRUNCATE t;":                                                            "nolint truncate",
		"-- homeroom:nolint drop-table\nDROP TABLE t;":                                                                              "nolint",
		"-- homeroom:nolint drop-tables unused\nDROP TABLE t;":                                                                      "nolint drop-table",
		"-- homeroom:nolint\nDROP TABLE t;":                                                                                         "nolint drop-table",
		"SELECT 1;\n-- homeroom:nolint drop-table unused\n\nDROP TABLE t;":                                                          "nolint drop-table",
		"SELECT 1;\n-- homeroom:nolint drop-table unused":                                                                           "nolint",
		"-- homeroom:nolint nolint because\nSELECT 1;":                                                                              "nolint",
	} {
		if got := names(lintFile("", text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is committed has no findings, so what CI finds is new.
func TestCommittedMigrations(t *testing.T) {
	t.Parallel()
	for schema, folder := range map[string]fs.FS{"public": atlas.Public(), "": atlas.Tenant()} {
		paths, err := fs.Glob(folder, "*.sql")
		if err != nil || len(paths) == 0 {
			t.Fatal(paths, err)
		}
		var files []migrate.File
		for _, path := range paths {
			text, err := fs.ReadFile(folder, path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, migrate.NewLocalFile(path, text))
		}
		for _, f := range Files(files, schema, func(migrate.File) bool { return true }) {
			t.Errorf("%+v", f)
		}
	}
}

func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/migrations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !strings.Contains(string(text), "| `"+r.name+"` |") {
			t.Errorf("docs/migrations.md does not name %s", r.name)
		}
	}
}

func FuzzFiles(f *testing.F) {
	lintFile("", "SELECT 1;") // the parser takes seconds to begin, which would count as a hang below
	f.Add([]byte(initial))
	for _, c := range cases {
		for _, text := range slices.Concat(c.bad, c.good) {
			f.Add([]byte(text))
		}
	}
	// As deep as a statement may be, in ways that cost the parser most.
	for _, shape := range []string{"NOT ", "- ", "(SELECT ", "f(", "ARRAY[", "CASE WHEN ", "1 + ", "1::int < ", "EXISTS (SELECT * FROM (SELECT ", "a.b IS NULL OR NOT "} {
		for _, n := range []int{30, 100, 190, 390, 1000} {
			f.Add([]byte("SELECT " + strings.Repeat(shape, n) + "true" + strings.Repeat(map[bool]string{true: ")"}[strings.Contains(shape, "(")], n*strings.Count(shape, "("))))
		}
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		lintFile("", string(text))
	})
}

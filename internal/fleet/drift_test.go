package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// newSchools makes schools, each with a role, whose schemas are s0, s1 and so on.
func newSchools(t *testing.T, conn *pgx.Conn, d *fleet.Directory, n int) (targets []fleet.Target) {
	t.Helper()
	for i := range n {
		s := fleet.Target{School: fmt.Sprintf("s%d", i), Schema: fmt.Sprintf("s%d", i)}
		s.Role = fleet.RoleName(s.Schema, uuid.New())
		exec(t, conn, d.CreateScript(s.Schema)+fleet.CreateRoleScript(s.Schema, s.Role))
		targets = append(targets, s)
	}
	return targets
}

func drift(t *testing.T, d *fleet.Directory, conn *pgx.Conn, targets []fleet.Target) []fleet.Drift {
	t.Helper()
	found, err := d.Drift(t.Context(), conn, targets, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(targets) {
		t.Fatalf("%d of %d schemas were looked at", len(found), len(targets))
	}
	return found
}

func clean(t *testing.T, d *fleet.Directory, conn *pgx.Conn, targets []fleet.Target) {
	t.Helper()
	for _, found := range drift(t, d, conn, targets) {
		if len(found.Differences) > 0 || len(found.SQL) > 0 || found.Unknown != "" {
			t.Errorf("%s differs: %+v %s\n%s", found.Schema, found.Differences, found.Unknown, strings.Join(found.SQL, ";\n"))
		}
	}
}

// leftovers counts what a run could leave behind.
const leftovers = `SELECT (SELECT count(*) FROM pg_namespace) || ' schemas, ' || (SELECT count(*) FROM pg_class) || ' relations, ' ||
	(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) || ' locks'`

func TestNoDrift(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.Database(t))
	d := testkit.Tenant(t)
	targets := newSchools(t, conn, d, 3)
	exec(t, conn, "CREATE SCHEMA migrated; CREATE SCHEMA \"Odd.name\"")
	for _, schema := range []string{"migrated", "Odd.name"} {
		if _, err := d.Apply(t.Context(), conn, schema); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, fleet.Target{School: schema, Schema: schema})
	}
	exec(t, conn, "ALTER TABLE s1.students DROP COLUMN grade_level; ALTER TABLE s1.students ADD COLUMN grade_level varchar; CREATE INDEX student_grade_level ON s1.students (grade_level)")
	exec(t, conn, "CREATE ROLE reports_"+targets[0].Role+"; GRANT SELECT ON s0.students TO reports_"+targets[0].Role)
	t.Cleanup(func() { exec(t, conn, "DROP OWNED BY reports_"+targets[0].Role+"; DROP ROLE reports_"+targets[0].Role) })
	before := query[string](t, conn, leftovers)
	clean(t, d, conn, targets)
	clean(t, testkit.Public(t), conn, []fleet.Target{{Schema: "public"}})
	if after := query[string](t, conn, leftovers); after != before {
		t.Errorf("before: %s, after: %s", before, after)
	}
}

// planted are changes that somebody makes by hand. In their SQL $own is the school's role, $other another
// school's. The last school of a test is never planted in.
var planted = []struct{ kind, object, sql string }{
	{"index", "students.student_email", `DROP INDEX student_email`},
	{"index", "students.student_email", `DROP INDEX student_email; CREATE INDEX student_email ON students (lower(email)) WHERE email <> ''`},
	{"index", "students.by_race", `CREATE INDEX by_race ON students (race)`},
	{"column", "students.nickname", `ALTER TABLE students ADD nickname text NOT NULL DEFAULT 'none'`},
	{"column", "students.race", `ALTER TABLE students DROP race`},
	{"column", "students.race", `ALTER TABLE students ALTER race TYPE text`},
	{"column", "assessments.weight", `ALTER TABLE assessments DROP CONSTRAINT assessments_scores; ALTER TABLE assessments ALTER weight TYPE text; ALTER TABLE assessments ALTER weight SET DEFAULT 'much'`},
	{"default", "students.status", `ALTER TABLE students ALTER status SET DEFAULT 'graduated'`},
	{"default", "students.status", `ALTER TABLE students ALTER status DROP DEFAULT`},
	{"not null", "students.last_name", `ALTER TABLE students ALTER last_name DROP NOT NULL`},
	{"not null", "students.email", `ALTER TABLE students ALTER email SET NOT NULL`},
	{"identity", "classes.capacity", `ALTER TABLE classes ALTER capacity SET NOT NULL; ALTER TABLE classes ALTER capacity ADD GENERATED ALWAYS AS IDENTITY`},
	{"constraint", "academic_years.academic_years_dates", `ALTER TABLE academic_years DROP CONSTRAINT academic_years_dates`},
	{"constraint", "students.students_status", `ALTER TABLE students DROP CONSTRAINT students_status; ALTER TABLE students ADD CONSTRAINT students_status CHECK (status IN ('active', 'gone'))`},
	{"foreign key", "terms.terms_academic_years_terms", `ALTER TABLE terms DROP CONSTRAINT terms_academic_years_terms`},
	{"foreign key", "terms.terms_academic_years_terms", `ALTER TABLE terms DISABLE TRIGGER ALL`},
	{"table", "notes", `CREATE TABLE notes (id serial PRIMARY KEY, student_id uuid REFERENCES students); CREATE TABLE more (id int REFERENCES notes); CREATE INDEX ON notes (student_id)`},
	{"table", "attendance_records", `DROP TABLE attendance_records CASCADE`},
	{"table", "attendance_records", `ALTER TABLE attendance_records SET UNLOGGED`},
	{"row security", "students", `ALTER TABLE students ENABLE ROW LEVEL SECURITY`},
	{"view", "names", `CREATE VIEW names AS SELECT last_name FROM students`},
	{"sequence", "numbers", `CREATE SEQUENCE numbers`},
	{"trigger", "students.t", `CREATE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON students FOR EACH ROW EXECUTE FUNCTION f()`},
	{"grant", "TABLE students to $own", `REVOKE INSERT ON students FROM $own`},
	{"grant", "TABLE students to $own", `GRANT TRUNCATE ON students TO $own; GRANT SELECT ON students TO $own WITH GRANT OPTION`},
	{"grant", "SCHEMA $schema to $own", `REVOKE USAGE ON SCHEMA $schema FROM $own`},
	{"grant", "TABLE atlas_schema_revisions to $own", `GRANT SELECT ON atlas_schema_revisions TO $own`},
	{"dangerous grant", "TABLE students to PUBLIC", `GRANT SELECT ON students TO PUBLIC`},
	{"dangerous grant", "TABLE students to $other", `GRANT SELECT ON students TO $other`},
	{"dangerous grant", "TABLE students to $other", `GRANT SELECT (email), UPDATE (email) ON students TO $other`},
	{"dangerous grant", "SCHEMA $schema to PUBLIC", `GRANT USAGE ON SCHEMA $schema TO PUBLIC`},
	{"owner", "students", `ALTER TABLE students OWNER TO $own`},
	{"membership", "$own.$other", `GRANT $other TO $own`},
	{"role attribute", "$own.LOGIN", `ALTER ROLE $own LOGIN`},
	{"role", "$own", `DROP OWNED BY $own; DROP ROLE $own`},
}

// plant returns the text for one of the schools; the other school is the last.
func plant(text string, targets []fleet.Target, i int) string {
	last := targets[len(targets)-1]
	return strings.NewReplacer("$own", targets[i].Role, "$other", last.Role, "$schema", targets[i].Schema).Replace(text)
}

// mendAll runs the SQL that was found, each school's under its own search_path.
func mendAll(t *testing.T, conn *pgx.Conn, found []fleet.Drift) {
	t.Helper()
	for _, f := range found {
		script := fmt.Sprintf("BEGIN; SET LOCAL search_path = %s;\n%s;\nCOMMIT", f.Schema, strings.Join(f.SQL, ";\n"))
		if _, err := conn.Exec(t.Context(), script, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Errorf("%v in\n%s", err, script)
			exec(t, conn, "ROLLBACK")
		}
	}
}

// Each change by hand is found in the very school where it was made, and the SQL takes it back.
func TestPlantedDriftIsFoundAndMended(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := testkit.Tenant(t)
	targets := newSchools(t, conn, d, len(planted)+1)
	for i, p := range planted {
		exec(t, conn, plant("SET search_path = $schema; "+p.sql+"; RESET search_path", targets, i))
	}
	found := drift(t, d, conn, targets)
	for i, p := range planted {
		object := plant(p.object, targets, i)
		if !slices.ContainsFunc(found[i].Differences, func(got fleet.Difference) bool { return got.Kind == p.kind && got.Object == object }) {
			t.Errorf("%s: found %+v", p.sql, found[i].Differences)
		}
		if risky := strings.Contains(strings.Join(found[i].SQL, "\n"), "DROP TABLE") || strings.Contains(strings.Join(found[i].SQL, "\n"), "DROP COLUMN"); risky != strings.Contains(strings.Join(found[i].SQL, "\n"), "-- loses data\n") {
			t.Errorf("%s: the loss of data is told wrongly:\n%s", p.sql, strings.Join(found[i].SQL, "\n"))
		}
	}
	if last := found[len(planted)]; len(last.Differences) > 0 {
		t.Errorf("found where nothing was planted: %+v", last.Differences)
	}
	mendAll(t, conn, found)
	clean(t, d, conn, targets)
}

func TestRandomDrift(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	conn := connect(t, testkit.EmptyDatabase(t))
	d := testkit.Tenant(t)
	targets := newSchools(t, conn, d, 8)
	want := map[string]int{}
	for range 24 {
		i, p := random.IntN(len(targets)-1), planted[random.IntN(len(planted)-1)] // all but the last, which drops the role
		// Two plants may not go together: then the second is left out.
		if _, err := conn.Exec(t.Context(), plant("BEGIN; SET LOCAL search_path = $schema; "+p.sql+"; COMMIT", targets, i), pgx.QueryExecModeSimpleProtocol); err != nil {
			exec(t, conn, "ROLLBACK")
			continue
		}
		want[targets[i].Schema]++
		t.Logf("%s: %s", targets[i].Schema, p.sql)
	}
	found := drift(t, d, conn, targets)
	for _, f := range found {
		if (len(f.Differences) > 0) != (want[f.Schema] > 0) {
			t.Errorf("%s: %+v", f.Schema, f.Differences)
		}
	}
	mendAll(t, conn, found)
	clean(t, d, conn, targets)
}

// Each school is compared with its own revision, and one that has none which is known is not compared.
func TestDriftAtDifferentRevisions(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	files := []string{
		"1", "CREATE TABLE a (id int, kind varchar CHECK (kind IN ('x', 'y')));", "2", "ALTER TABLE a ADD b int DEFAULT 0;",
		"3", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);\n",
	}
	all := load(t, folder(t, files...))
	var targets []fleet.Target
	for i := range 3 {
		schema := string(rune('a' + i))
		exec(t, conn, "CREATE SCHEMA "+schema)
		if _, err := load(t, folder(t, files[:2*i+2]...)).Apply(t.Context(), conn, schema); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, fleet.Target{Schema: schema})
	}
	clean(t, all, conn, targets)
	// The same CHECK after a dump and its restoration, which prints it in another way.
	check := query[string](t, conn, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'a_kind_check' AND connamespace = 'a'::regnamespace")
	exec(t, conn, "ALTER TABLE a.a DROP CONSTRAINT a_kind_check, ADD CONSTRAINT a_kind_check "+check)
	clean(t, all, conn, targets)
	exec(t, conn, "ALTER TABLE b.a DROP b")
	for i, f := range drift(t, all, conn, targets) {
		if version := files[2*i]; f.Version != version || (len(f.Differences) > 0) != (f.Schema == "b") {
			t.Errorf("%+v", f)
		}
	}
	old := load(t, folder(t, "1", files[1], "2", "ALTER TABLE a ADD c int;"))
	exec(t, conn, "CREATE SCHEMA empty")
	targets = append(targets, fleet.Target{Schema: "empty"}, fleet.Target{Schema: "nowhere"})
	for i, unknown := range []string{"", "edited", "ahead", "no revision", "no such schema"} {
		f := drift(t, old, conn, targets)[i]
		if len(f.Differences) > 0 || (f.Unknown == "") != (unknown == "") || !strings.Contains(f.Unknown, unknown) {
			t.Errorf("%d: %+v", i, f)
		}
	}
}

// A schema's name may stand in a definition by chance.
func TestDriftOfShortNames(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := load(t, folder(t, "1", `CREATE TABLE st (id serial, mail text DEFAULT 's.t' CHECK (mail ~ 'classes.org|s\.s'));
		CREATE FUNCTION t() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT mail FROM st; CREATE INDEX i ON st (lower(mail));`))
	var targets []fleet.Target
	for _, schema := range []string{"s", "t", `classes`, "longer_one"} {
		exec(t, conn, d.CreateScript(schema))
		targets = append(targets, fleet.Target{Schema: schema})
	}
	clean(t, d, conn, targets)
}

// What was found is mended only while it is still true: a migration in between may have made it otherwise.
func TestMendAfterAMigration(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	files := []string{"1", "CREATE TABLE a (id int);", "2", "ALTER TABLE a ADD IF NOT EXISTS b int;"}
	one, two := load(t, folder(t, files[:2]...)), load(t, folder(t, files...))
	exec(t, conn, one.CreateScript("s")+"ALTER TABLE s.a ADD b int")
	found := drift(t, two, conn, []fleet.Target{{Schema: "s"}})[0]
	if _, err := two.Apply(t.Context(), conn, "s"); err != nil {
		t.Fatal(err)
	}
	if err := found.Mend(t.Context(), conn); err == nil || !strings.Contains(err.Error(), "a migration has come between") {
		t.Errorf("mended a schema that was migrated meanwhile: %v", err)
	}
	clean(t, two, conn, []fleet.Target{{Schema: "s"}})
}

package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// The files of the small fleets: each leaves a trace of how often it ran.
var (
	one = []string{"1", "CREATE TABLE a (id int);\nCREATE TABLE ran (file int);"}
	two = append(one[:2:2], "2", "ALTER TABLE a ADD COLUMN b int;\nINSERT INTO ran VALUES (2);")
)

// schools makes schools as d's program would, s00 and so on, in a new database.
func schools(t *testing.T, d *fleet.Directory, n int) (url string, conn *pgx.Conn) {
	t.Helper()
	url = testkit.Database(t)
	conn = connect(t, url)
	for i := range n {
		school(t, conn, conn, d, fmt.Sprintf("s%02d", i), "primary")
	}
	return url, conn
}

// school makes one school, its schema by there.
func school(t *testing.T, conn, there *pgx.Conn, d *fleet.Directory, code, database string) {
	t.Helper()
	exec(t, there, d.CreateScript(code))
	exec(t, conn, fmt.Sprintf("INSERT INTO clients (id, name, code, schema_name, state, setup_progress, is_active, isolation, schema_version, database) VALUES (gen_random_uuid(), '%[1]s', '%[1]s', '%[1]s', 'ready', 'not_started', true, 'schema', '%[2]s', '%[3]s')", code, d.Version(), database))
}

// roll runs a rollout and returns what it said of each school.
func roll(t *testing.T, r fleet.Rollout, url string) (fleet.Summary, map[string]fleet.Outcome) {
	t.Helper()
	outcomes := map[string]fleet.Outcome{}
	if r.Connect == nil {
		r.Connect = fleet.Dial(url)
	}
	r.Finished = func(o fleet.Outcome) { outcomes[o.School] = o }
	summary, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return summary, outcomes
}

func expectSummary(t *testing.T, got, want fleet.Summary) {
	t.Helper()
	if got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestRolloutOfAFleet(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 7)
	d := load(t, folder(t, two...))
	school(t, conn, conn, d, "new", "primary")
	exec(t, conn, "UPDATE clients SET schema_version = '0' WHERE code = 'new'; UPDATE clients SET state = 'deleted', deleted_at = now() WHERE code = 's03'; UPDATE clients SET updated_at = '2000-01-01'")
	r := fleet.Rollout{Directory: d, Parallel: 3}
	planned := 0
	r.Planned = func(n int) { planned += n }
	summary, outcomes := roll(t, r, url)
	expectSummary(t, summary, fleet.Summary{Schools: 8, Migrated: 7})
	if o := outcomes["s03"]; planned != 7 || o.From != "1" || o.To != "2" || o.Attempts != 1 || o.Failure != nil {
		t.Errorf("%d planned, %+v", planned, o)
	}
	const behind = `SELECT count(*) FROM clients WHERE schema_version <> '2' OR migration_error <> '' OR updated_at < '2001-01-01' OR (migrated_at IS NULL) <> (code = 'new')`
	if n := query[int](t, conn, behind); n != 0 {
		t.Errorf("%d rows do not say what became of their school", n)
	}
	if n := query[int](t, conn, "SELECT count(*) FROM s03.ran"); n != 1 {
		t.Errorf("the file ran %d times", n)
	}
	before := query[time.Time](t, conn, "SELECT max(updated_at) FROM clients")
	summary, outcomes = roll(t, r, url)
	expectSummary(t, summary, fleet.Summary{Schools: 8})
	if after := query[time.Time](t, conn, "SELECT max(updated_at) FROM clients"); len(outcomes) > 0 || !after.Equal(before) {
		t.Errorf("there was nothing to do: %+v", outcomes)
	}
}

func TestRolloutPassesOverWhatFails(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 5)
	exec(t, conn, "ALTER TABLE s02.a ADD COLUMN b int; UPDATE s03.atlas_schema_revisions SET hash = 'x'; INSERT INTO s04.atlas_schema_revisions (version, description, executed_at, execution_time, hash, operator_version) VALUES ('9', '', now(), 0, '', '')")
	r := fleet.Rollout{Directory: load(t, folder(t, two...)), Parallel: 2}
	summary, outcomes := roll(t, r, url)
	expectSummary(t, summary, fleet.Summary{Schools: 5, Migrated: 2, Failed: 2, Skipped: 1})
	f := outcomes["s02"].Failure
	if f == nil || f.File != "2_step.sql" || f.Statement != 1 || f.Start != "ALTER TABLE a ADD COLUMN b int" || f.SQLState != "42701" || !strings.Contains(f.Message, "already exists") {
		t.Fatalf("%+v", f)
	}
	if said := query[string](t, conn, "SELECT migration_error FROM clients WHERE code = 's02' AND schema_version = '1' AND migrated_at IS NOT NULL"); said != f.Error() {
		t.Error(said)
	}
	if o := outcomes["s03"]; o.Failure == nil || !strings.Contains(o.Failure.Error(), "edited") {
		t.Errorf("an edited school: %+v", o)
	}
	if o := outcomes["s04"]; o.Failure != nil || o.Skipped == "" || o.To != "9" {
		t.Errorf("a school that is ahead: %+v", o)
	}
	exec(t, conn, "ALTER TABLE s02.a DROP COLUMN b; UPDATE s03.atlas_schema_revisions SET hash = (SELECT hash FROM s02.atlas_schema_revisions)")
	summary, outcomes = roll(t, r, url)
	expectSummary(t, summary, fleet.Summary{Schools: 5, Migrated: 2, Skipped: 1})
	if n := query[int](t, conn, "SELECT count(*) FROM clients WHERE migration_error <> ''"); n != 0 || outcomes["s02"].Failure != nil {
		t.Error("the failure is still told")
	}
}

// A failure never repeats a value, which may be somebody's, in whatever language the server speaks.
func TestFailureHoldsNoData(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, "1", "CREATE TABLE a (name text);")), 1)
	exec(t, conn, `INSERT INTO s00.a VALUES ('Amina "A" Juma')`)
	const german = "DO $$ BEGIN RAISE EXCEPTION 'ungültig: »%%«', (SELECT name FROM a) USING ERRCODE = '%[1]s', HINT = (SELECT name FROM a); END $$;"
	for sql, state := range map[string]string{
		"ALTER TABLE a ALTER name TYPE int USING name::int;": "22P02", fmt.Sprintf(german, "22P02"): "22P02", fmt.Sprintf(german, "2200N"): "2200N",
	} {
		_, outcomes := roll(t, fleet.Rollout{Directory: load(t, folder(t, "1", "CREATE TABLE a (name text);", "2", sql))}, url)
		said := query[string](t, conn, "SELECT migration_error FROM clients")
		if f := outcomes["s00"].Failure; f == nil || f.SQLState != state || f.Error() != said || strings.Contains(said, "Amina") || strings.Contains(said, "Juma") {
			t.Errorf("%+v, recorded as %s", f, said)
		}
	}
}

func TestCanary(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 6)
	d := load(t, folder(t, two...))
	exec(t, conn, "ALTER TABLE s02.a ADD COLUMN b int")
	count := func() int {
		return query[int](t, conn, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'b' AND table_schema <> 's02'")
	}
	summary, outcomes := roll(t, fleet.Rollout{Directory: d, Canary: fleet.Canary{Schools: []string{"s02"}}}, url)
	if count() != 0 || summary.Failed != 1 || summary.Left != 5 || !strings.Contains(summary.Stopped, "s02") || len(outcomes) != 1 {
		t.Fatalf("%+v, and %d schools were touched", summary, count())
	}
	exec(t, conn, "ALTER TABLE s02.a DROP COLUMN b; ALTER TABLE s05.a ADD COLUMN b int; CREATE TABLE s05.kept ()")
	summary, outcomes = roll(t, fleet.Rollout{Directory: d, Canary: fleet.Canary{Schools: []string{"s02", "s04"}}, MaxFailures: 1, Parallel: 1}, url)
	if outcomes["s02"].To != "2" || outcomes["s04"].To != "2" || summary.Failed != 1 {
		t.Errorf("%+v %+v", summary, outcomes)
	}
	exec(t, conn, "ALTER TABLE s05.a DROP COLUMN b")
	expectSummary(t, first(roll(t, fleet.Rollout{Directory: d, Canary: fleet.Canary{Count: 1}}, url)), fleet.Summary{Schools: 6, Migrated: 6 - count()})
	_, err := fleet.Rollout{Directory: d, Connect: fleet.Dial(url), Canary: fleet.Canary{Schools: []string{"nobody"}}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Error("a canary that is no school:", err)
	}
}

func first[A, B any](a A, _ B) A { return a }

// A canary that fails leaves all others, the second one of it too, as they were.
func TestCanaryGoesFirst(t *testing.T) {
	t.Parallel()
	url, _ := schools(t, load(t, folder(t, one...)), 8)
	var order []string
	r := fleet.Rollout{Directory: load(t, folder(t, append(two[:4:4], "3", "SELECT 1/0;")...)), Connect: fleet.Dial(url), Canary: fleet.Canary{Count: 2}, Parallel: 1}
	r.Finished = func(o fleet.Outcome) { order = append(order, o.School) }
	summary, err := r.Run(t.Context())
	if err != nil || len(order) != 1 || summary.Left != 7 || summary.Failed != 1 {
		t.Errorf("%v %+v %v", order, summary, err)
	}
}

func TestMaxFailures(t *testing.T) {
	t.Parallel()
	url, _ := schools(t, load(t, folder(t, one...)), 9)
	d := load(t, folder(t, append(one[:2:2], "2", "SELECT 1/0;")...))
	summary, outcomes := roll(t, fleet.Rollout{Directory: d, MaxFailures: 3, Parallel: 1}, url)
	if summary.Failed != 3 || summary.Left != 6 || len(outcomes) != 3 || summary.Stopped == "" {
		t.Errorf("%+v", summary)
	}
	expectSummary(t, first(roll(t, fleet.Rollout{Directory: d, Parallel: 4}, url)), fleet.Summary{Schools: 9, Failed: 9})
}

func TestTwoRolloutsAtOnce(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 12)
	d := load(t, folder(t, append(two[:4:4], "3", "-- atlas:txmode none\n\nINSERT INTO ran VALUES (3);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n")...))
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			summary, err := fleet.Rollout{Directory: d, Connect: fleet.Dial(url), Parallel: 3}.Run(t.Context())
			if err != nil || summary.Current() != 12 {
				t.Errorf("%+v %v", summary, err)
			}
		})
	}
	group.Wait()
	wholeSchools(t, conn, 12, "{2,3}")
}

// wholeSchools expects that in each school each of the files ran once.
func wholeSchools(t *testing.T, conn *pgx.Conn, n int, want string) {
	t.Helper()
	for i := range n {
		if got := query[string](t, conn, fmt.Sprintf("SELECT coalesce(array_agg(file ORDER BY file), '{}')::text FROM s%02d.ran", i)); got != want {
			t.Errorf("s%02d: the files %s ran", i, got)
		}
	}
}

func TestPlanTouchesNothing(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 3)
	d := load(t, folder(t, two...))
	school(t, conn, conn, d, "new", "primary")
	three := load(t, folder(t, append(two[:4:4], "3", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n")...))
	const all = `SELECT md5(string_agg(c::text, '')) FROM clients c`
	before := query[string](t, conn, all)
	plans, summary, err := fleet.Rollout{Directory: three, Connect: fleet.Dial(url)}.Plan(t.Context())
	if err != nil || len(plans) != 2 || plans[0].Schools != 3 || plans[1].From != "2" || summary.Left != 4 {
		t.Fatalf("%+v %v", plans, err)
	}
	if query[string](t, conn, all) != before || query[string](t, conn, "SELECT max(version) FROM s00.atlas_schema_revisions") != "1" {
		t.Error("something was touched")
	}
	// What it says is what would be done.
	statements, err := migrate.Stmts(plans[0].SQL)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		exec(t, conn, statement.Text)
	}
	exec(t, conn, "SELECT pg_advisory_unlock_all(); RESET search_path")
	summary, outcomes := roll(t, fleet.Rollout{Directory: three}, url)
	if outcomes[plans[0].Schema].From != "3" || summary.Current() != 4 || !slices.Equal(plans[0].Pending, []string{"2", "3"}) {
		t.Errorf("%+v", outcomes)
	}
}

func TestInterruptedRollout(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 9)
	ctx, stop := context.WithCancel(t.Context())
	slow := load(t, folder(t, append(two[:2:2], "2", "SELECT pg_sleep(0.1);")...))
	r := fleet.Rollout{Directory: slow, Connect: fleet.Dial(url), Parallel: 1, Finished: func(fleet.Outcome) { stop() }}
	summary, err := r.Run(ctx)
	if err == nil || summary.Migrated == 0 || summary.Left == 0 || summary.Migrated+summary.Left != 9 || summary.Failed > 0 {
		t.Errorf("%+v %v", summary, err)
	}
	if n := query[int](t, conn, "SELECT count(*) FROM clients WHERE schema_version = '2'"); n != summary.Migrated {
		t.Errorf("%d schools are recorded, of %d", n, summary.Migrated)
	}
}

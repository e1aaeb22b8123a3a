package fleet_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ariga.io/atlas/sql/migrate"
	"entgo.io/ent/dialect/sql/schema"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/atlas"
	publicmigrate "github.com/homeroom-sms/homeroom/ent/public/migrate"
	tenantmigrate "github.com/homeroom-sms/homeroom/ent/tenant/migrate"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// folder makes a folder of migrations, version and SQL by turns, with its atlas.sum.
func folder(t *testing.T, versionsAndSQL ...string) fs.FS {
	t.Helper()
	memory, files := &migrate.MemDir{}, fstest.MapFS{}
	for i := 0; i < len(versionsAndSQL); i += 2 {
		name, text := versionsAndSQL[i]+"_step.sql", []byte(versionsAndSQL[i+1])
		if err := memory.WriteFile(name, text); err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	sum, err := memory.Checksum()
	if err != nil {
		t.Fatal(err)
	}
	text, err := sum.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	files["atlas.sum"] = &fstest.MapFile{Data: text}
	return files
}

func load(t *testing.T, folder fs.FS) *fleet.Directory {
	t.Helper()
	d, err := fleet.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func query[T any](t *testing.T, conn *pgx.Conn, sql string) (value T) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestLoadRefusesWhatItsSumDoesNotKnow(t *testing.T) {
	t.Parallel()
	good := folder(t, "1", "CREATE TABLE a (id int);")
	for name, change := range map[string]func(fstest.MapFS){
		"edited":  func(f fstest.MapFS) { f["1_step.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (id int);")} },
		"added":   func(f fstest.MapFS) { f["2_step.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")} },
		"removed": func(f fstest.MapFS) { delete(f, "1_step.sql") },
		"no sum":  func(f fstest.MapFS) { delete(f, "atlas.sum") },
	} {
		files := fstest.MapFS{}
		for path, file := range good.(fstest.MapFS) {
			files[path] = file
		}
		change(files)
		if _, err := fleet.Load(files); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// The files that are committed are those that the graphs ask for.
func TestGraphsAndMigrationsAgree(t *testing.T) {
	t.Parallel()
	for _, graph := range []struct {
		name   string
		files  fs.FS
		tables []*schema.Table
	}{{"public", atlas.Public(), publicmigrate.Tables}, {"tenant", atlas.Tenant(), tenantmigrate.Tables}} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, graph.files); err != nil {
			t.Fatal(err)
		}
		written, err := fleet.Diff(t.Context(), testkit.EmptyDatabase(t)+"&search_path=public", dir, "change", false, graph.tables)
		if err != nil || len(written) > 0 {
			t.Errorf("%s: the migrations lack %v (%v): run make generate", graph.name, written, err)
		}
	}
}

func TestDiffWritesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, atlas.Public()); err != nil {
		t.Fatal(err)
	}
	tables := slices.Clone(publicmigrate.Tables)
	at := slices.IndexFunc(tables, func(table *schema.Table) bool { return table.Name == "audit_events" })
	narrower := *tables[at]
	narrower.Columns = slices.DeleteFunc(slices.Clone(narrower.Columns), func(c *schema.Column) bool { return c.Name == "address" })
	tables[at] = &narrower
	written, err := fleet.Diff(t.Context(), testkit.EmptyDatabase(t)+"&search_path=public", dir, "drop_address", false, tables)
	if err != nil || len(written) != 1 {
		t.Fatal(written, err)
	}
	text, err := os.ReadFile(written[0])
	if err != nil || !strings.Contains(string(text), `DROP COLUMN "address"`) {
		t.Errorf("%s %v", text, err)
	}
	if _, err := fleet.Load(os.DirFS(dir)); err != nil {
		t.Errorf("atlas.sum was not brought up to date: %v", err)
	}
}

func TestApplyIsRecordedAsTheCommandDoes(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := testkit.Public(t)
	for range 2 { // the second finds nothing to do
		state, err := d.Apply(t.Context(), conn, "public")
		if err != nil || state.Version != d.Version() || len(state.Pending) > 0 {
			t.Fatalf("%+v %v", state, err)
		}
	}
	const row = `SELECT format('%s %s %s %s %s', type, applied = total AND total > 0, error IS NULL, hash LIKE '%=', execution_time > 0) FROM public.atlas_schema_revisions`
	if got := query[string](t, conn, row); got != "2 t t t t" {
		t.Error(got)
	}
}

// A school made by the one script and one migrated file by file have the same catalog.
func TestCreateScriptMakesWhatApplyMakes(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := testkit.Tenant(t)
	exec(t, conn, "SET search_path = ''")
	exec(t, conn, d.CreateScript("school_a"))
	if got := query[string](t, conn, "SHOW search_path"); got != `""` {
		t.Errorf("the script left the search_path %s", got)
	}
	exec(t, conn, "CREATE SCHEMA school_b")
	if _, err := d.Apply(t.Context(), conn, "school_b"); err != nil {
		t.Fatal(err)
	}
	const catalog = `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT format('%%s.%%s %%s %%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = '%[1]s'::regnamespace AND a.attnum > 0
		UNION ALL SELECT replace(pg_get_indexdef(c.oid), '%[1]s', '') FROM pg_class c WHERE c.relkind = 'i' AND c.relnamespace = '%[1]s'::regnamespace
		UNION ALL SELECT replace(conname || pg_get_constraintdef(oid), '%[1]s', '') FROM pg_constraint WHERE connamespace = '%[1]s'::regnamespace
		UNION ALL SELECT format('%%s %%s', version, hash) FROM %[1]s.atlas_schema_revisions) AS lines (line)`
	a, b := query[string](t, conn, fmt.Sprintf(catalog, "school_a")), query[string](t, conn, fmt.Sprintf(catalog, "school_b"))
	if a != b || !strings.Contains(a, "students.admission_number") {
		t.Errorf("the two differ:\n%s\n\n%s", a, b)
	}
}

func TestFileAppliesWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := load(t, folder(t, "1", "CREATE TABLE a (id int);", "2", "CREATE TABLE b (id int); SELECT 1/0;"))
	state, err := d.Apply(t.Context(), conn, "public")
	if err == nil || !strings.Contains(err.Error(), "bringing public up: 2_step.sql: statement 2 (SELECT 1/0)") || state.Version != "1" {
		t.Fatalf("%+v %v", state, err)
	}
	if left := query[*string](t, conn, "SELECT to_regclass('public.b')::text"); left != nil {
		t.Error("half a file was applied")
	}
	mended := load(t, folder(t, "1", "CREATE TABLE a (id int);", "2", "CREATE TABLE b (id int);"))
	if state, err := mended.Apply(t.Context(), conn, "public"); err != nil || state.Version != "2" {
		t.Fatalf("%+v %v", state, err)
	}
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	// Without IF NOT EXISTS a file that ran twice would fail.
	d := load(t, folder(t, "1", "CREATE TABLE a (id int);", "2", "ALTER TABLE a ADD b int;", "3", "INSERT INTO a VALUES (1);"))
	var group errgroup.Group
	for range 6 {
		conn := connect(t, url)
		group.Go(func() error {
			_, err := d.Apply(t.Context(), conn, "public")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := query[int](t, connect(t, url), "SELECT count(*) FROM public.a"); n != 1 {
		t.Errorf("the last file ran %d times", n)
	}
}

func TestStatusTellsWhatIsOff(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	ctx := t.Context()
	three := load(t, folder(t, "1", "SELECT 1;", "3", "SELECT 3;"))
	if _, err := three.Apply(ctx, conn, "public"); err != nil {
		t.Fatal(err)
	}
	if state, err := load(t, folder(t, "1", "SELECT 1;")).Apply(ctx, conn, "public"); err != nil || !state.Ahead {
		t.Errorf("a newer schema: %+v %v", state, err)
	}
	edited := load(t, folder(t, "1", "SELECT 100;", "3", "SELECT 3;"))
	if state, err := edited.Apply(ctx, conn, "public"); err == nil || len(state.Edited) == 0 {
		t.Errorf("an edited file: %+v %v", state, err)
	}
	late := load(t, folder(t, "1", "SELECT 1;", "2", "SELECT 2;", "3", "SELECT 3;"))
	if _, err := late.Apply(ctx, conn, "public"); err == nil {
		t.Error("a file was put before one that is applied, and nobody said so")
	}
}

func TestFileOutsideATransaction(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := load(t, folder(t, "1", "CREATE TABLE a (id int);",
		"2", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);\n"))
	exec(t, conn, "CREATE SCHEMA s")
	if state, err := d.Apply(t.Context(), conn, "s"); err != nil || state.Version != "2" {
		t.Fatalf("%+v %v", state, err)
	}
	if got := query[string](t, conn, "SHOW search_path"); got != `"$user", public` {
		t.Errorf("the connection was left with the search_path %s", got)
	}
	if n := query[int](t, conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"); n != 0 {
		t.Errorf("%d advisory locks were left", n)
	}
}

// A school's role reads the tables that later migrations bring, and never the revisions.
func TestGrantsFollowMigrations(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	role, other, reports := fleet.RoleName("s", uuid.New()), fleet.RoleName("s_too", uuid.New()), "reports_"+strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, conn, load(t, folder(t, "1", "CREATE TABLE a (id int);")).CreateScript("s")+fleet.CreateRoleScript("s", role)+
		"CREATE ROLE "+other+"; CREATE ROLE "+reports+"; GRANT USAGE ON SCHEMA s TO "+other+", "+reports+"; GRANT SELECT ON s.a TO "+reports)
	t.Cleanup(func() { exec(t, conn, "DROP OWNED BY "+reports+"; DROP ROLE "+reports) })
	two := load(t, folder(t, "1", "CREATE TABLE a (id int);", "2", "CREATE TABLE b (id serial);"))
	if _, err := two.Apply(t.Context(), conn, "s"); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]bool{"a": true, "b": true, "atlas_schema_revisions": false} {
		got := query[bool](t, conn, fmt.Sprintf("SELECT has_table_privilege('%s', 's.%s', 'INSERT')", role, table))
		if got != want {
			t.Errorf("%s may write to %s: %v", role, table, got)
		}
		for _, stranger := range []string{other, reports} {
			if query[bool](t, conn, fmt.Sprintf("SELECT has_table_privilege('%s', 's.%s', 'INSERT')", stranger, table)) {
				t.Errorf("%s may write to %s", stranger, table)
			}
		}
	}
	if !query[bool](t, conn, fmt.Sprintf("SELECT has_sequence_privilege('%s', 's.b_id_seq', 'USAGE')", role)) {
		t.Error("a serial column can't be filled")
	}
}

func TestRoleNamesFitAndDiffer(t *testing.T) {
	t.Parallel()
	a, b := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	long := strings.Repeat("x", 63)
	if name := fleet.RoleName(long, a); len(name) > 63 || name == fleet.RoleName(long, b) {
		t.Error(name)
	}
}

package fleet_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

const laterVersion = "29991231000000"

// withLater is a copy of the migrations with a file more.
func withLater(t *testing.T, files fs.FS) *migrate.LocalDir {
	t.Helper()
	path := t.TempDir()
	if err := os.CopyFS(path, files); err != nil {
		t.Fatal(err)
	}
	dir, err := migrate.NewLocalDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteFile(laterVersion+"_later.sql", []byte("CREATE TABLE later (id int);\nCREATE INDEX later_id ON later (id);\n")); err != nil {
		t.Fatal(err)
	}
	sum, err := dir.Checksum()
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.WriteSumFile(dir, sum); err != nil {
		t.Fatal(err)
	}
	return dir
}

// graphs are the committed migrations and a schema for each.
var graphs = []struct {
	schema string
	files  fs.FS
}{{"public", atlas.Public()}, {"school_elm", atlas.Tenant()}}

// What we applied atlas's executor sees as applied, and what it applied on top we see so. The executor is
// the one in the atlas command; the table is read and written here as the command does.
func TestAtlasExecutorAndWeSeeTheSame(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	conn := connect(t, url)
	exec(t, conn, "CREATE SCHEMA school_elm")
	for _, graph := range graphs {
		if _, err := load(t, graph.files).Apply(t.Context(), conn, graph.schema); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("pgx", url+"&search_path="+graph.schema)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		driver, err := postgres.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		dir := withLater(t, graph.files)
		executor, err := migrate.NewExecutor(driver, dir, revisionTable{db}, migrate.WithOperatorVersion("atlas"))
		if err != nil {
			t.Fatal(err)
		}
		pending, err := executor.Pending(t.Context())
		if err != nil || len(pending) != 1 || pending[0].Version() != laterVersion {
			t.Fatalf("%s: to the executor are pending: %v %v", graph.schema, pending, err)
		}
		if err := executor.ExecuteN(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		state, err := load(t, os.DirFS(dir.Path())).Apply(t.Context(), conn, graph.schema)
		if err != nil || state.Version != laterVersion || len(state.Pending)+len(state.Edited) > 0 {
			t.Errorf("%s: %+v %v", graph.schema, state, err)
		}
	}
}

// revisionTable is atlas_schema_revisions of the connection's schema.
type revisionTable struct{ db *sql.DB }

func (revisionTable) Ident() *migrate.TableIdent {
	return &migrate.TableIdent{Name: "atlas_schema_revisions"}
}

const revisionColumns = "version, description, type, applied, total, executed_at, execution_time, coalesce(error, ''), coalesce(error_stmt, ''), hash, operator_version"

func (r revisionTable) ReadRevisions(ctx context.Context) (all []*migrate.Revision, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT "+revisionColumns+" FROM atlas_schema_revisions ORDER BY version")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v migrate.Revision
		if err := rows.Scan(&v.Version, &v.Description, &v.Type, &v.Applied, &v.Total, &v.ExecutedAt, &v.ExecutionTime, &v.Error, &v.ErrorStmt, &v.Hash, &v.OperatorVersion); err != nil {
			return nil, err
		}
		all = append(all, &v)
	}
	return all, rows.Err()
}

func (r revisionTable) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	all, err := r.ReadRevisions(ctx)
	for _, v := range all {
		if v.Version == version {
			return v, nil
		}
	}
	return nil, errors.Join(err, migrate.ErrRevisionNotExist)
}

func (r revisionTable) WriteRevision(ctx context.Context, v *migrate.Revision) error {
	_, err := r.db.ExecContext(ctx, `INSERT INTO atlas_schema_revisions (version, description, type, applied, total, executed_at, execution_time, error, error_stmt, hash, operator_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (version) DO UPDATE SET applied = $4, total = $5, execution_time = $7, error = $8, error_stmt = $9, hash = $10`,
		v.Version, v.Description, int(v.Type), v.Applied, v.Total, v.ExecutedAt, int64(v.ExecutionTime/time.Nanosecond), v.Error, v.ErrorStmt, v.Hash, v.OperatorVersion)
	return err
}

func (r revisionTable) DeleteRevision(ctx context.Context, version string) error {
	_, err := r.db.ExecContext(ctx, "DELETE FROM atlas_schema_revisions WHERE version = $1", version)
	return err
}

// asCommand is SQL that leaves a schema's revisions as the atlas command would have written them.
func asCommand(schema string) string {
	return "UPDATE " + schema + `.atlas_schema_revisions SET error = '', error_stmt = '', partial_hashes = '["h1:x"]', operator_version = 'Atlas CLI'`
}

// The same with the atlas command itself, where there is one.
func TestAtlasCommandAndWeSeeTheSame(t *testing.T) {
	t.Parallel()
	program := os.Getenv("HOMEROOM_TEST_ATLAS")
	if program == "" {
		found, err := osexec.LookPath("atlas")
		if err != nil {
			t.Skip("the atlas command is not here: put it on PATH, or name it in HOMEROOM_TEST_ATLAS")
		}
		program = found
	}
	url := testkit.EmptyDatabase(t)
	conn := connect(t, url)
	exec(t, conn, "CREATE SCHEMA school_elm")
	run := func(args ...string) string {
		t.Helper()
		cmd := osexec.Command(program, args...)
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), "HOMEROOM_DATABASE_URL="+url)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("atlas %s: %v\n%s", strings.Join(args, " "), err, output)
		}
		return string(output)
	}
	for _, graph := range graphs {
		if _, err := load(t, graph.files).Apply(t.Context(), conn, graph.schema); err != nil {
			t.Fatal(err)
		}
		dir := withLater(t, graph.files)
		at := []string{"--dir", "file://" + dir.Path(), "--url", url + "&search_path=" + graph.schema}
		run("migrate", "validate", "--dir", "file://"+dir.Path())
		run("migrate", "lint", "--dir", "file://"+dir.Path(), "--latest", "1", "--dev-url", testkit.EmptyDatabase(t)+"&search_path=public")
		if said := run(append([]string{"migrate", "status", "--format", "{{ len .Pending }} {{ .Next }}"}, at...)...); strings.TrimSpace(said) != "1 "+laterVersion {
			t.Errorf("%s: to the command are pending: %s", graph.schema, said)
		}
		run(append([]string{"migrate", "apply"}, at...)...)
		state, err := load(t, os.DirFS(dir.Path())).Status(t.Context(), conn, graph.schema)
		if err != nil || state.Version != laterVersion || len(state.Pending)+len(state.Edited) > 0 {
			t.Errorf("%s: %+v %v", graph.schema, state, err)
		}
	}
	exec(t, conn, "CREATE SCHEMA school_oak; CREATE SCHEMA school_ash")
	run("migrate", "apply", "--config", "file://atlas/atlas.hcl", "--env", "fleet", "--var", "schemas=school_oak", "--var", "schemas=school_ash")
	for _, schema := range []string{"school_oak", "school_ash"} {
		if state, err := testkit.Tenant(t).Status(t.Context(), conn, schema); err != nil || len(state.Pending) > 0 {
			t.Errorf("%s: %+v %v", schema, state, err)
		}
	}
}

package fleet_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// outside is a file that refuses a transaction.
var outside = append(one[:2:2], "2", `-- atlas:txmode none

INSERT INTO ran VALUES (2);
CREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);
CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (id);
INSERT INTO ran VALUES (3);
`)

// expectOutside expects that the file is applied in full, its statements once each.
func expectOutside(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if got := query[string](t, conn, "SELECT string_agg(file::text, ' ' ORDER BY file) FROM s00.ran"); got != "2 3" {
		t.Errorf("the plain statements ran %s", got)
	}
	if got := query[string](t, conn, "SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' ORDER BY 1) FROM pg_index WHERE indrelid = 's00.a'::regclass"); got != "s00.a_id true, s00.a_unique true" {
		t.Error(got)
	}
	const row = "SELECT format('%s %s %s %s', applied, total, error IS NULL, partial_hashes IS NULL) FROM s00.atlas_schema_revisions WHERE version = '2'"
	if got := query[string](t, conn, row); got != "4 4 t t" {
		t.Errorf("the row says %s", got)
	}
}

// Wherever a run outside a transaction is cut off, another goes on from there. The cut is made by a
// trigger on the row that records a statement, so that it is done and not recorded.
func TestCutOffOutsideATransaction(t *testing.T) {
	t.Parallel()
	for n := range 5 {
		t.Run(fmt.Sprintf("before %d is recorded", n), func(t *testing.T) {
			t.Parallel()
			url, conn := schools(t, load(t, folder(t, one...)), 1)
			exec(t, conn, fmt.Sprintf(`CREATE FUNCTION public.cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.applied = %d AND NEW.version = '2' THEN RAISE EXCEPTION 'cut off'; END IF; RETURN NEW; END $$;
				CREATE TRIGGER cut BEFORE INSERT OR UPDATE ON s00.atlas_schema_revisions FOR EACH ROW EXECUTE FUNCTION public.cut()`, n))
			r := fleet.Rollout{Directory: load(t, folder(t, outside...))}
			_, outcomes := roll(t, r, url)
			if outcomes["s00"].Failure == nil {
				t.Fatal("it was not cut off")
			}
			// As a kill leaves it, without a note of a failure.
			exec(t, conn, "DROP TRIGGER cut ON s00.atlas_schema_revisions; UPDATE s00.atlas_schema_revisions SET error = NULL, error_stmt = NULL")
			if _, outcomes := roll(t, r, url); outcomes["s00"].Failure != nil {
				t.Fatal(outcomes["s00"].Failure)
			}
			expectOutside(t, conn)
		})
	}
}

func TestInvalidIndexIsBuiltAgain(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 1)
	exec(t, conn, "INSERT INTO s00.a VALUES (1), (1)")
	r := fleet.Rollout{Directory: load(t, folder(t, outside...))}
	_, outcomes := roll(t, r, url)
	if f := outcomes["s00"].Failure; f == nil || f.Statement != 3 || f.SQLState != "23505" {
		t.Fatalf("%+v", f)
	}
	if got := query[string](t, conn, "SELECT format('%s %s %s', applied, error LIKE '%could not create%', error_stmt LIKE 'CREATE UNIQUE%') FROM s00.atlas_schema_revisions WHERE version = '2'"); got != "2 t t" {
		t.Error(got)
	}
	exec(t, conn, "DELETE FROM s00.a; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's00.a_id'::regclass; UPDATE s00.atlas_schema_revisions SET applied = 1, error = NULL, partial_hashes = partial_hashes - 1 WHERE version = '2'")
	if _, outcomes := roll(t, r, url); outcomes["s00"].Failure != nil {
		t.Fatal(outcomes["s00"].Failure)
	}
	expectOutside(t, conn)
}

// An index that was there before is not taken for one that a cut-off run made.
func TestIndexOfTheSameName(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 1)
	exec(t, conn, "CREATE INDEX a_unique ON s00.ran (file)")
	r := fleet.Rollout{Directory: load(t, folder(t, outside...))}
	for range 2 {
		_, outcomes := roll(t, r, url)
		if f := outcomes["s00"].Failure; f == nil || f.SQLState != "42P07" {
			t.Fatalf("%+v", f)
		}
	}
	exec(t, conn, "DROP INDEX s00.a_unique")
	if _, outcomes := roll(t, r, url); outcomes["s00"].Failure != nil {
		t.Fatal(outcomes["s00"].Failure)
	}
	expectOutside(t, conn)
}

func TestEditedAfterItHadBegun(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 1)
	exec(t, conn, "INSERT INTO s00.a VALUES (1), (1)")
	roll(t, fleet.Rollout{Directory: load(t, folder(t, outside...))}, url)
	other := append(one[:2:2], "2", strings.Replace(outside[3], "VALUES (2)", "VALUES (20)", 1))
	_, outcomes := roll(t, fleet.Rollout{Directory: load(t, folder(t, other...))}, url)
	if f := outcomes["s00"].Failure; f == nil || f.Statement != 1 || !strings.Contains(f.Message, "edited") {
		t.Errorf("%+v", f)
	}
}

// A new school gets the indexes of such a file in the transaction that makes it.
func TestCreateScriptOfAFileOutsideATransaction(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	exec(t, conn, load(t, folder(t, outside...)).CreateScript("s00"))
	expectOutside(t, conn)
}

// rows are the revisions of a school as the library's executor reads and writes them.
type rows struct{ conn *pgx.Conn }

func (rows) Ident() *migrate.TableIdent {
	return &migrate.TableIdent{Name: "atlas_schema_revisions", Schema: "s00"}
}

func (r rows) ReadRevisions(ctx context.Context) (all []*migrate.Revision, err error) {
	found, err := r.conn.Query(ctx, "SELECT version, description, type, applied, total, coalesce(error, ''), hash, partial_hashes FROM s00.atlas_schema_revisions ORDER BY version")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (*migrate.Revision, error) {
		var v migrate.Revision
		return &v, row.Scan(&v.Version, &v.Description, &v.Type, &v.Applied, &v.Total, &v.Error, &v.Hash, &v.PartialHashes)
	})
}

func (r rows) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	all, err := r.ReadRevisions(ctx)
	for _, v := range all {
		if v.Version == version {
			return v, nil
		}
	}
	return nil, errors.Join(err, migrate.ErrRevisionNotExist)
}

func (r rows) WriteRevision(ctx context.Context, v *migrate.Revision) error {
	sums, err := json.Marshal(v.PartialHashes)
	if err != nil {
		return err
	}
	_, err = r.conn.Exec(ctx, `INSERT INTO s00.atlas_schema_revisions AS r (version, description, type, applied, total, executed_at, execution_time, error, hash, partial_hashes, operator_version)
		VALUES ($1, $2, $3, $4, $5, now(), 1, nullif($6, ''), $7, nullif($8::jsonb, 'null'), 'atlas') ON CONFLICT (version) DO UPDATE SET applied = $4, error = nullif($6, ''), partial_hashes = nullif($8::jsonb, 'null')`,
		v.Version, v.Description, v.Type, v.Applied, v.Total, v.Error, v.Hash, string(sums))
	return err
}

func (rows) DeleteRevision(context.Context, string) error { return errors.New("nothing is deleted") }

// Either tool goes on where the other was cut off. The executor is what the atlas command applies by.
func TestExecutorAndWeGoOnForEachOther(t *testing.T) {
	t.Parallel()
	for _, oursFirst := range []bool{true, false} {
		url, conn := schools(t, load(t, folder(t, one...)), 1)
		dir := t.TempDir()
		if err := os.CopyFS(dir, folder(t, outside...)); err != nil {
			t.Fatal(err)
		}
		local, err := migrate.NewLocalDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		config, err := pgx.ParseConfig(url + "&search_path=s00")
		if err != nil {
			t.Fatal(err)
		}
		db := stdlib.OpenDB(*config)
		defer func(db *sql.DB) { _ = db.Close() }(db)
		driver, err := postgres.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		executor, err := migrate.NewExecutor(driver, local, rows{conn})
		if err != nil {
			t.Fatal(err)
		}
		theirs := func() error { return executor.ExecuteN(t.Context(), 0) }
		weDo := func() error {
			_, err := load(t, os.DirFS(dir)).Apply(t.Context(), connect(t, url), "s00")
			return err
		}
		first, second := theirs, weDo
		if oursFirst {
			first, second = weDo, theirs
		}
		exec(t, conn, "INSERT INTO s00.a VALUES (1), (1)")
		if err := first(); err == nil || !strings.Contains(err.Error(), "could not create unique index") {
			t.Fatal(err)
		}
		exec(t, conn, "DELETE FROM s00.a; DROP INDEX s00.a_unique")
		if err := second(); err != nil {
			t.Fatal(err)
		}
		expectOutside(t, conn)
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	files := append(two[:4:4], "3", "-- atlas:checkpoint\n\nCREATE TABLE a (id int, b int);\nCREATE TABLE ran (file int);\nINSERT INTO ran VALUES (3);\n")
	squashed, later := load(t, folder(t, files...)), load(t, folder(t, append(files[:6:6], "4", "INSERT INTO ran VALUES (4);")...))
	if squashed.Version() != "2" || later.Version() != "4" {
		t.Errorf("the last revisions: %s, %s", squashed.Version(), later.Version())
	}
	exec(t, conn, load(t, folder(t, two...)).CreateScript("old")+squashed.CreateScript("new")+"CREATE SCHEMA bare")
	if _, err := squashed.Apply(t.Context(), conn, "bare"); err != nil {
		t.Fatal(err)
	}
	schemas := map[string]string{"old": "2 4", "new": "3 4", "bare": "3 4"}
	for _, d := range []*fleet.Directory{squashed, later} {
		found, err := d.Survey(t.Context(), conn, []string{"old", "new", "bare"})
		if err != nil {
			t.Fatal(err)
		}
		for schema := range schemas {
			state, err := d.Status(t.Context(), conn, schema)
			if err != nil || state.Version != "2" || state.Ahead || len(state.Edited) > 0 || fmt.Sprint(state) != fmt.Sprint(found[schema]) {
				t.Errorf("%s: %+v %+v %v", schema, state, found[schema], err)
			}
		}
	}
	for schema, want := range schemas {
		if state, err := later.Apply(t.Context(), conn, schema); err != nil || state.Version != "4" {
			t.Error(schema, state, err)
		}
		if got := query[string](t, conn, "SELECT string_agg(file::text, ' ' ORDER BY file) FROM "+schema+".ran"); got != want {
			t.Errorf("%s: the files %s ran", schema, got)
		}
	}
}

// The atlas command leaves a row where a file failed.
func TestGoesOnAfterAFailureOfTheCommand(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 1)
	exec(t, conn, "INSERT INTO s00.atlas_schema_revisions (version, description, applied, total, executed_at, execution_time, error, error_stmt, hash, operator_version) VALUES ('2', 'step', 0, 2, now(), 0, 'no', 'no', 'x', 'atlas')")
	summary, _ := roll(t, fleet.Rollout{Directory: load(t, folder(t, two...))}, url)
	expectSummary(t, summary, fleet.Summary{Schools: 1, Migrated: 1})
	wholeSchools(t, conn, 1, "{2}")
}

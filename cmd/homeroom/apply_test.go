package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// bareSchools makes schools, s000 and so on, that have nothing but a schema: each is to be made from
// the first file on.
func bareSchools(t *testing.T, url string, n int) {
	t.Helper()
	testkit.On(t, url, fmt.Sprintf(`INSERT INTO clients (id, name, code, schema_name, state, setup_progress, is_active, isolation, database)
		SELECT gen_random_uuid(), code, code, code, 'ready', 'not_started', true, 'schema', 'primary' FROM (SELECT 's' || to_char(i, 'FM000') AS code FROM generate_series(0, %d) i) s`, n-1))
	testkit.On(t, url, fmt.Sprintf("DO $$ BEGIN FOR i IN 0..%d LOOP EXECUTE 'CREATE SCHEMA s' || to_char(i, 'FM000'); END LOOP; END $$", n-1))
}

func TestApplyReports(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	bareSchools(t, url, 5)
	testkit.On(t, url, `CREATE TABLE s003.subjects ()`)
	last := testkit.Tenant(t).Version()

	dry := homeroom(t, url, "migrate", "apply", "--dry-run").expect(t, 0, "5 schools such as s000", `CREATE TABLE "subjects"`, "COMMIT;")
	if strings.Contains(dry.stdout, "the public schema") || ask[int](t, url, "SELECT count(*) FROM pg_tables WHERE schemaname LIKE 's00%'") != 1 {
		t.Error("the dry run touched something, or would touch what is current")
	}
	homeroom(t, url, "migrate", "apply", "--canary", "s003").expect(t, 1, "0 of 5 schools", "1 failed, 4 left to do; the canary s003 failed")
	homeroom(t, url, "migrate", "apply", "--canary", "s9").expect(t, 1, `"s9" is none of the schools`)
	homeroom(t, url, "migrate", "apply", "--parallel", "0").expect(t, 2, "--parallel takes")
	ended := homeroom(t, url, "migrate", "apply", "-o", "json", "--canary", "2", "--max-failures", "2", "--school", "s000", "--school", "s001", "--school", "s003").expect(t, 1)
	for line := range strings.Lines(ended.stdout) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil || o["database"] != "primary" || o["from"] != "" || o["ms"] == nil || o["attempts"] != 1.0 {
			t.Error(err, line)
		}
		failure, failed := o["error"].(map[string]any)
		if failed != (o["school"] == "s003") || failed && (failure["sqlstate"] != "42P07" || failure["statement"] != 1.0 || failure["file"] == "") || !failed && o["to"] != last {
			t.Error(line)
		}
	}
	homeroom(t, url, "migrate", "apply").expect(t, 1, "SCHOOL", "s003", "statement 1 (CREATE TABLE \"subjects\")", `relation "subjects" already exists (SQLSTATE 42P07)`,
		"4 of 5 schools are at "+last+", 1 failed; running again goes on with those")
	testkit.On(t, url, "DROP TABLE s003.subjects")
	homeroom(t, url, "migrate", "apply").expect(t, 0, "5 of 5 schools are at "+last)
	homeroom(t, url, "migrate", "apply").expect(t, 0, "nothing to do: all of 5 schools are at "+last)
}

func TestApplyWantsThePublicSchema(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	homeroom(t, url, "migrate", "apply", "--only", "tenant").expect(t, exitNotReady, "homeroom migrate apply")
	testkit.On(t, url, "CREATE TABLE public.clients ()")
	homeroom(t, url, "migrate", "apply").expect(t, 1, "No school was touched", "42P07")
}

// The first interrupt lets the files at work be finished and begins no other.
func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	references(t, url)
	bareSchools(t, url, 40)
	cmd := program(t, t.TempDir(), "migrate", "apply", "--parallel", "1")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	untilMigrated(t, url, 1)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stderr.String(), "left to do") {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	if recorded, done := ask[int](t, url, "SELECT count(*) FROM clients WHERE schema_version <> ''"), migrated(t, url); recorded != done || done == 40 {
		t.Errorf("%d schools are recorded, %d done", recorded, done)
	}
	wholeOrBare(t, url)
}

// migrated is how many schools are at their last revision.
func migrated(t *testing.T, url string) int {
	t.Helper()
	return ask[int](t, url, "SELECT count(*) FROM pg_class WHERE relname = 'atlas_schema_revisions' AND relnamespace::regnamespace::text ~ '^s[0-9]{3}$'")
}

func untilMigrated(t *testing.T, url string, n int) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var found int
		err := conn.QueryRow(context.Background(), "SELECT count(*) FROM clients WHERE to_regclass(code || '.atlas_schema_revisions') IS NOT NULL").Scan(&found)
		if err != nil || time.Now().After(deadline) {
			t.Fatal(found, err)
		}
		if found >= n {
			return
		}
	}
}

// references makes schemas to compare schools with: whole1 is made of the first file, whole2 of the first
// two, and so on; whole0 is empty.
func references(t *testing.T, url string) {
	t.Helper()
	testkit.On(t, url, "CREATE SCHEMA whole0")
	names, err := fs.Glob(atlas.Tenant(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := migrate.NewLocalDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		text, err := fs.ReadFile(atlas.Tenant(), name)
		err = errors.Join(err, dir.WriteFile(name, text))
		sum, wrong := dir.Checksum()
		if err = errors.Join(err, wrong, migrate.WriteSumFile(dir, sum)); err != nil {
			t.Fatal(err)
		}
		d, err := fleet.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		testkit.On(t, url, d.CreateScript(fmt.Sprintf("whole%d", i+1)))
	}
}

// wholeOrBare expects of each school that it has just what the files make that it has recorded.
func wholeOrBare(t *testing.T, url string) {
	t.Helper()
	const odd = `SELECT count(*) FROM (SELECT n.oid, CASE WHEN to_regclass(n.nspname || '.atlas_schema_revisions') IS NULL THEN '0'
			ELSE (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.atlas_schema_revisions', n.nspname), false, true, '')))[1]::text END AS files
		FROM pg_namespace n WHERE n.nspname ~ '^s[0-9]{3}$') s
		WHERE (SELECT count(*) FROM pg_class WHERE relnamespace = s.oid) <> (SELECT count(*) FROM pg_class WHERE relnamespace = ('whole' || files)::regnamespace)`
	if n := ask[int](t, url, odd); n != 0 {
		t.Errorf("%d schools are neither whole nor untouched", n)
	}
}

// A rollout that is killed at any moment leaves every school whole, and the next goes on with it. By hand:
// HOMEROOM_TEST_KILLS=50 HOMEROOM_TEST_SCHOOLS=200 go test ./cmd/homeroom -run TestApplyKilled
func TestApplyKilled(t *testing.T) {
	t.Parallel()
	kills, schools := number(t, "HOMEROOM_TEST_KILLS", 6), number(t, "HOMEROOM_TEST_SCHOOLS", 40)
	url := testkit.Database(t)
	references(t, url)
	bareSchools(t, url, schools)
	killed := 0
	for kill := 0; kill < kills; kill++ {
		cmd := program(t, t.TempDir(), "migrate", "apply", "-o", "json")
		cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		untilMigrated(t, url, min(schools, (kill+1)*schools/(kills+1)))
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if cmd.ProcessState.ExitCode() < 0 {
			killed++
		}
		wholeOrBare(t, url)
	}
	if killed == 0 {
		t.Error("no run was killed: the test proves nothing")
	}
	homeroom(t, url, "migrate", "apply").expect(t, 0, fmt.Sprintf("%d schools are at %s", schools, testkit.Tenant(t).Version()))
	wholeOrBare(t, url)
	if n := ask[int](t, url, "SELECT count(*) FROM clients WHERE schema_version <> '"+testkit.Tenant(t).Version()+"' OR migration_error <> ''"); n != 0 || migrated(t, url) != schools {
		t.Errorf("%d rows do not say so, and %d schools are migrated", n, migrated(t, url))
	}
	t.Logf("%d of %d runs were killed at work, over %d schools", killed, kills, schools)
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDescribeRollout(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]fleet.Summary{
		"nothing to do: all of 3 schools are at 7":                                                                 {Schools: 3},
		"998 of 1000 schools are at 7, 2 failed; running again goes on with those":                                 {Schools: 1000, Migrated: 900, Failed: 2},
		"1 of 3 schools are at 7, 2 skipped":                                                                       {Schools: 3, Migrated: 1, Skipped: 2},
		"0 of 3 schools are at 7, 1 failed, 2 left to do; the canary elm failed; running again goes on with those": {Schools: 3, Failed: 1, Left: 2, Stopped: "the canary elm failed"},
	} {
		if got := describeRollout(s, "7"); got != want {
			t.Errorf("%s\n%s", got, want)
		}
	}
}

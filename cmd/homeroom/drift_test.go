package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestMigrateDrift(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, code := range []string{"ash", "elm", "oak"} {
		homeroom(t, url, "school", "create", code, "--name", code, "--domain", code+".test").expect(t, 0)
	}
	homeroom(t, url, "migrate", "drift").expect(t, 0, "no drift in 4 schemas")
	homeroom(t, url, "doctor").expect(t, 0, "differ from their revisions: 0 of 4")
	homeroom(t, url, "migrate", "drift", "--fix").expect(t, exitUsage, "exactly one --school")
	homeroom(t, url, "migrate", "drift", "--parallel", "0").expect(t, exitUsage, "--parallel")
	homeroom(t, url, "migrate", "drift", "--school", "fir").expect(t, 1, `there is no school "fir"`)

	testkit.On(t, url, `DROP INDEX school_elm.student_email; GRANT SELECT ON school_elm.students TO PUBLIC; ALTER TABLE school_oak.students ADD nickname text;
		ALTER TABLE public.domains ALTER is_primary DROP DEFAULT; INSERT INTO school_ash.atlas_schema_revisions SELECT '99', description, type, applied, total, executed_at, execution_time, NULL, NULL, hash, NULL, operator_version FROM school_ash.atlas_schema_revisions LIMIT 1`)
	homeroom(t, url, "doctor").expect(t, 1, "differ from their revisions: 3 of 4")
	homeroom(t, url, "migrate", "drift").expect(t, 1, "drift in 3 of 4 schemas", "student_email", "dangerous grant", "REVOKE SELECT ON TABLE students FROM PUBLIC;",
		"-- loses data\nALTER TABLE students DROP COLUMN nickname;", "ALTER TABLE domains ALTER COLUMN is_primary SET DEFAULT false;", "it is ahead of this program")
	homeroom(t, url, "migrate", "drift", "--school", "ash").expect(t, 0, "no drift in 0 schemas", "ahead")
	ended := homeroom(t, url, "migrate", "drift", "-o", "json", "--school", "elm", "--school", "ash").expect(t, 1)
	var drifts []fleet.Drift
	if err := json.Unmarshal([]byte(ended.stdout), &drifts); err != nil || len(drifts) != 2 {
		t.Fatal(err, ended.stdout)
	}
	if d := drifts[1]; d.School != "elm" || d.Schema != "school_elm" || d.Database != "primary" || d.Version == "" || len(d.Differences) != 2 || len(d.SQL) != 2 {
		t.Errorf("%+v", d)
	}
}

func TestMigrateDriftFix(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, code := range []string{"elm", "oak"} {
		homeroom(t, url, "school", "create", code, "--name", code, "--domain", code+".test").expect(t, 0)
	}
	testkit.On(t, url, `DROP INDEX school_elm.student_email; DROP INDEX school_oak.student_email`)
	index := func(schema string) bool {
		return ask[bool](t, url, "SELECT to_regclass('"+schema+".student_email') IS NOT NULL")
	}
	fix := func(typed string) result {
		cmd := program(t, t.TempDir(), "migrate", "drift", "--fix", "--school", "elm")
		cmd.Env, cmd.Stdin = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url), strings.NewReader(typed)
		return finish(t, cmd)
	}
	fix("oak\n").expect(t, 1, "CREATE INDEX student_email", "nothing was changed")
	fix("").expect(t, 1, "nothing was changed")
	if index("school_elm") {
		t.Error("it was mended though nobody said so")
	}
	fix("elm\n").expect(t, 0, "no drift in 1 schema")
	if !index("school_elm") || index("school_oak") {
		t.Error("not the one school was mended")
	}
	fix("").expect(t, 0, "no drift in 1 schema") // there is nothing to ask
	homeroom(t, url, "migrate", "drift", "--fix", "--school", "oak", "--yes").expect(t, 0, "no drift in 1 schema")

	// Whole or not at all.
	testkit.On(t, url, `DROP INDEX school_elm.student_email; ALTER TABLE school_elm.students DROP last_name;
		INSERT INTO school_elm.students (id, admission_number, first_name) VALUES (gen_random_uuid(), '1', 'Amina')`)
	homeroom(t, url, "migrate", "drift", "--fix", "--school", "elm", "--yes").expect(t, 1, "-- fails where there are rows", "mending school_elm", "contains null values")
	if index("school_elm") {
		t.Error("half of it was mended")
	}
}

// Schools in a database that can't be reached are told, and the others are looked at.
func TestMigrateDriftUnreachable(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, code := range []string{"elm", "oak"} {
		homeroom(t, url, "school", "create", code, "--name", code, "--domain", code+".test").expect(t, 0)
	}
	testkit.On(t, url, `DROP INDEX school_elm.student_email; INSERT INTO databases (id, name, url) VALUES (gen_random_uuid(), 'down', 'postgres://u@127.0.0.1:1/none');
		UPDATE clients SET database = 'down' WHERE code = 'oak'`)
	homeroom(t, url, "migrate", "drift").expect(t, 1, "can't be reached", "1 of 3 schemas could not be looked at", "drift in 1 of 3 schemas", "student_email")
	homeroom(t, url, "doctor").expect(t, 1, "could not be looked at: 1")
}

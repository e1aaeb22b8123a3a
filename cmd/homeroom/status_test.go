package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// statusOf is what migrate status says of each school, "" for the public schema.
func statusOf(t *testing.T, url string, code int, args ...string) map[string]standing {
	t.Helper()
	ended := homeroom(t, url, append([]string{"migrate", "status", "-o", "json"}, args...)...).expect(t, code)
	var rows []standing
	if err := json.Unmarshal([]byte(ended.stdout), &rows); err != nil {
		t.Fatal(err, ended.stdout)
	}
	all := map[string]standing{}
	for _, row := range rows {
		all[row.School] = row
	}
	if len(rows) > 0 && rows[0].School != "" && slices.ContainsFunc(rows, func(s standing) bool { return s.School == "" }) {
		t.Error("the public schema is not first")
	}
	return all
}

// Without --verify the status is what public.clients says, whatever the schools say; with it the
// schools are asked, and public.clients is corrected.
func TestMigrateStatus(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, code := range []string{"ash", "elm", "fir", "oak", "yew"} {
		homeroom(t, url, "school", "create", code, "--name", code, "--base-domain", "test").expect(t, 0)
	}
	current := testkit.Tenant(t).Version()
	if ended := homeroom(t, url, "migrate", "status").expect(t, 0, "public", "schools", current, "current"); strings.Contains(ended.stdout, "elm") {
		t.Errorf("a current school is listed:\n%s", ended.stdout)
	}
	homeroom(t, url, "migrate", "status", "--all").expect(t, 0, "elm", "school_elm", "primary")

	testkit.On(t, url, `UPDATE clients SET schema_version = '', migrated_at = '2026-01-02T03:04:05Z', migration_ms = 17 WHERE code = 'elm'`)
	testkit.On(t, url, `UPDATE clients SET schema_version = '2', migration_error = 'no (SQLSTATE 42P07)', migrated_at = '2026-01-02T03:04:06Z', migration_ms = 90 WHERE code = 'oak'`)
	testkit.On(t, url, `UPDATE clients SET schema_version = '9' WHERE code = 'fir'`)
	homeroom(t, url, "migrate", "status").expect(t, 0, "behind", "failed", "ahead", "no (SQLSTATE 42P07)", "2026-01-02 03:04:05Z", "17 ms")
	all := statusOf(t, url, 0)
	for code, want := range map[string]string{"": "current", "ash": "current", "elm": "behind", "fir": "ahead", "oak": "failed", "yew": "current"} {
		if all[code].State != want {
			t.Errorf("%q: %+v, want %s", code, all[code], want)
		}
	}
	if elm := all["elm"]; len(elm.Pending) == 0 || elm.MS != 17 || elm.MigratedAt == nil || all[""].MigratedAt == nil || all["fir"].Pending == nil {
		t.Errorf("%+v %+v", elm, all[""])
	}
	if only := statusOf(t, url, 0, "--school", "elm", "--school", "oak"); len(only) != 2 {
		t.Errorf("%+v", only)
	}
	if only := statusOf(t, url, 0, "--only", "public"); len(only) != 1 || only[""].Version != testkit.Public(t).Version() {
		t.Errorf("%+v", only)
	}

	testkit.On(t, url, "UPDATE school_ash.atlas_schema_revisions SET hash = 'x'")
	testkit.On(t, url, "DROP SCHEMA school_yew CASCADE")
	before := ask[string](t, url, "SELECT updated_at::text FROM clients WHERE code = 'elm'")
	homeroom(t, url, "migrate", "status", "--verify").expect(t, 1, "elm: corrected", "oak: corrected", "fir: corrected", current,
		"edited after it was applied", "there is no such schema", "1 of 5 schools could not be looked at")
	if wrong := ask[int](t, url, "SELECT count(*) FROM clients WHERE schema_version <> '"+current+"' OR migration_error <> ''"); wrong != 0 {
		t.Errorf("%d columns are wrong still", wrong)
	}
	if ask[string](t, url, "SELECT updated_at::text FROM clients WHERE code = 'elm'") == before {
		t.Error("the school's ETag stays though it shows another revision")
	}
	if again := homeroom(t, url, "migrate", "status", "--verify").expect(t, 1); strings.Contains(again.stderr, "corrected") {
		t.Errorf("corrected again: %s", again.stderr)
	}
	// A row that can't be written is no school that can't be looked at.
	testkit.On(t, url, `UPDATE clients SET schema_version = '1' WHERE code = 'elm';
		CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'read only' USING ERRCODE = '25006'; END $$;
		CREATE TRIGGER no BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION no()`)
	homeroom(t, url, "migrate", "status", "--verify").expect(t, 1, "elm: not corrected", "1 of 5 schools could not be looked at", "public.clients could not be corrected")
	testkit.On(t, url, "DROP TRIGGER no ON clients")
	for code, want := range map[string]string{"ash": "edited", "elm": "current", "yew": "missing"} {
		if got := statusOf(t, url, 1, "--verify")[code]; got.State != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	homeroom(t, testkit.EmptyDatabase(t), "migrate", "status", "--verify").expect(t, exitNotReady, "homeroom migrate apply")
}

package fleet_test

import (
	"fmt"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestStanding(t *testing.T) {
	t.Parallel()
	d := load(t, folder(t, "1", "SELECT 1;", "3", "SELECT 3;"))
	for _, c := range []struct{ version, failure, want string }{
		{"", "", "behind [1 3]"},
		{"1", "", "behind [3]"},
		{"2", "", "behind [3]"},
		{"3", "", "current []"},
		{"4", "", "ahead []"},
		{"1", "no", "failed [3]"},
		{"3", "no", "failed []"},
	} {
		state, pending := d.Standing(c.version, c.failure)
		if got := fmt.Sprint(state, " ", pending); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.version, c.failure, got, c.want)
		}
	}
}

func TestRequires(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"-- homeroom:requires\nSELECT 2;":                            "2",
		"-- atlas:txmode none\n\n--  homeroom:requires\r\nSELECT 2;": "2",
		"-- Create \"b\" table\n--homeroom:requires\nSELECT 2;":      "2",
		"SELECT 2;\n-- homeroom:requires":                            "1",
		"-- homeroom:requires not\nSELECT 2;":                        "1",
		"SELECT '\n-- homeroom:requires\n';":                         "1",
	} {
		d := load(t, folder(t, "1", "-- homeroom:requires\nSELECT 1;", "2", sql, "3", "SELECT 3;"))
		if got := d.Requires(); got != want {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
	if got := load(t, folder(t, "1", "SELECT 1;")).Requires(); got != "" {
		t.Error(got)
	}
}

// What is recorded is corrected to what the schools say, unless somebody has recorded something since.
func TestVerify(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.Database(t))
	ctx, d := t.Context(), load(t, folder(t, "1", "SELECT 1;", "2", "SELECT 2;"))
	for code, recorded := range map[string]string{"right": "'2', ''", "wrong": "'1', ''", "healed": "'2', 'no'", "gone": "'2', ''", "raced": "'1', ''"} {
		exec(t, conn, "INSERT INTO clients (id, name, code, schema_name, state, schema_version, migration_error) VALUES (gen_random_uuid(), 'x', '"+code+"', '"+code+"', 'ready', "+recorded+")")
		if code != "gone" {
			exec(t, conn, d.CreateScript(code))
		}
	}
	targets, err := fleet.Targets(ctx, conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "UPDATE clients SET schema_version = 'newer' WHERE code = 'raced'")
	found, err := d.Verify(ctx, conn, targets)
	if err != nil || len(found) != 5 {
		t.Fatal(found, err)
	}
	for _, f := range found {
		want := f.School == "wrong" || f.School == "healed" || f.School == "raced"
		if f.Wrong() != want || f.State.Missing != (f.School == "gone") {
			t.Errorf("%s: wrong %v, %+v", f.School, f.Wrong(), f.State)
		}
	}
	if err := fleet.Correct(ctx, conn, found); err != nil {
		t.Fatal(err)
	}
	const recorded = "SELECT string_agg(format('%s %s%s', code, schema_version, migration_error), ', ' ORDER BY code) FROM clients"
	if got := query[string](t, conn, recorded); got != "gone 2, healed 2, raced newer, right 2, wrong 2" {
		t.Error(got)
	}
}

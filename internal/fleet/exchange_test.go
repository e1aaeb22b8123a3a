package fleet_test

import (
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fleet"
)

// What is recorded of a school is not believed by itself: one that is further, in what it has applied or in
// the content of that, gets nothing, whether the file would fail there or not.
func TestHistoryIsChecked(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 4)
	d := load(t, folder(t, "1", one[1], "2", "INSERT INTO ran VALUES (2);", "3", "ALTER TABLE a ADD COLUMN b int;"))
	for _, schema := range []string{"s01", "s02"} {
		if _, err := d.Apply(t.Context(), conn, schema); err != nil {
			t.Fatal(err)
		}
	}
	// Of s02 only the record of the file that could be run twice is left, of s03 another first file.
	exec(t, conn, "DELETE FROM s02.atlas_schema_revisions WHERE version = '3'; ALTER TABLE s02.a DROP COLUMN b; UPDATE s03.atlas_schema_revisions SET hash = 'h1:other'")
	exec(t, conn, asCommand("s00"))
	summary, outcomes := roll(t, fleet.Rollout{Directory: d, Parallel: 2}, url)
	if summary.Current() != 3 || summary.Failed != 1 || outcomes["s03"].Failure == nil || !strings.Contains(outcomes["s03"].Failure.Message, "edited") {
		t.Errorf("%+v %v", summary, outcomes["s03"].Failure)
	}
	for schema, ran := range map[string]int{"s00": 1, "s01": 1, "s02": 1, "s03": 0} {
		if n := query[int](t, conn, "SELECT count(*) FROM "+schema+".ran"); n != ran {
			t.Errorf("%s: the second file ran %d times, not %d", schema, n, ran)
		}
	}
}

// A statement that streams rows would take the record's for its own.
func TestLoadRefusesStreams(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"COPY a FROM STDIN;", "copy (SELECT 1)\nto  stdout;", "CREATE TABLE a (id int);\nCOPY a (id) FROM STDIN WITH (FORMAT csv);"} {
		if _, err := fleet.Load(folder(t, "1", statement)); err == nil || !strings.Contains(err.Error(), "nothing to send") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{"COPY a FROM '/etc/a';", "COMMENT ON TABLE a IS 'COPY a FROM STDIN';"} {
		load(t, folder(t, "1", statement))
	}
}

package fleet_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A survey of many schemas says of each what a look at it alone says.
func TestSurvey(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	one := []string{"1", "CREATE TABLE a (id int);"}
	two := append(one[:2:2], "2", "ALTER TABLE a ADD COLUMN b int;")
	three := append(two[:4:4], "3", "ALTER TABLE a ADD COLUMN c int;")
	d := load(t, folder(t, two...))
	exec(t, conn, load(t, folder(t, one...)).CreateScript("behind")+d.CreateScript("current")+load(t, folder(t, three...)).CreateScript("ahead")+
		load(t, folder(t, "1", "CREATE TABLE a (id bigint);")).CreateScript("edited")+d.CreateScript("failed")+d.CreateScript(`od"d 'name`)+"CREATE SCHEMA bare;")
	exec(t, conn, "UPDATE failed.atlas_schema_revisions SET applied = 0, error = 'no' WHERE version = '2'")
	exec(t, conn, asCommand("current"))
	exec(t, conn, "INSERT INTO current.atlas_schema_revisions (version, description, executed_at, execution_time, hash, operator_version) VALUES ('.atlas_cloud_identifier', '', now(), 0, '', '')")
	schemas := []string{"behind", "current", "ahead", "edited", "failed", `od"d 'name`, "bare"}
	got, err := d.Survey(t.Context(), conn, append([]string{"nowhere"}, schemas...))
	if err != nil {
		t.Fatal(err)
	}
	if !got["nowhere"].Missing {
		t.Errorf("a schema that is not there: %+v", got["nowhere"])
	}
	for _, schema := range schemas {
		want, err := d.Status(t.Context(), conn, schema)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got[schema], want) {
			t.Errorf("%s: %+v, not %+v", schema, got[schema], want)
		}
	}
	for schema, want := range map[string]string{
		"behind": "{1 [2] [] false false}", "current": "{2 [] [] false false}", "ahead": "{3 [] [] true false}",
		"edited": "{1 [2] [1] false false}", "failed": "{1 [2] [] false false}", "bare": "{ [1 2] [] false false}",
	} {
		if fmt.Sprint(got[schema]) != want {
			t.Errorf("%s: %v, not %s", schema, got[schema], want)
		}
	}
}

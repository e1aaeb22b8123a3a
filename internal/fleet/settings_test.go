package fleet_test

import (
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// What a file sets is not met by the next school on the same connection, by whichever way it sets it.
func TestSettingsEndWithTheirFile(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		"SET work_mem = '1234kB';", "SELECT set_config('work_mem', '1234kB', false);", "DO $$ BEGIN SET work_mem = '1234kB'; END $$;",
		"-- atlas:txmode none\n\nSET work_mem = '1234kB';", "SET SESSION AUTHORIZATION pg_monitor; SET SESSION AUTHORIZATION DEFAULT; SET work_mem TO '1234kB';",
	} {
		url, conn := schools(t, load(t, folder(t, one...)), 3)
		d := load(t, folder(t, append(one[:2:2], "2", sql, "3", "CREATE TABLE had AS SELECT current_setting('work_mem') AS work_mem;")...))
		summary, _ := roll(t, fleet.Rollout{Directory: d, Parallel: 1}, url)
		expectSummary(t, summary, fleet.Summary{Schools: 3, Migrated: 3})
		if got := query[string](t, conn, "SELECT string_agg(DISTINCT work_mem, ' ') FROM (SELECT * FROM s00.had UNION ALL SELECT * FROM s01.had UNION ALL SELECT * FROM s02.had) h"); got != "4MB" {
			t.Errorf("%s: files after it have the work_mem %s", sql, got)
		}
	}
}

// A school that is made by the script leaves nothing on the session either.
func TestSettingsEndWithTheCreation(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.EmptyDatabase(t))
	d := load(t, folder(t, "1", "SET work_mem = '1234kB';\nSET SESSION enable_seqscan TO off;\nSET LOCAL jit = off;\nSET TIME ZONE 'Asia/Tokyo';\nCREATE TABLE had AS SELECT current_setting('work_mem') AS work_mem;"))
	exec(t, conn, d.CreateScript("s"))
	if got := query[string](t, conn, "SELECT concat_ws(' ', work_mem, current_setting('work_mem'), current_setting('enable_seqscan'), current_setting('TimeZone') = 'Asia/Tokyo') FROM s.had"); got != "1234kB 4MB on f" {
		t.Error(got)
	}
}

package fleet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// flushes has a function called in a database whenever what was committed there is flushed. It knows how often.
func flushes(t *testing.T, url, body string) {
	t.Helper()
	testkit.On(t, url, `CREATE SCHEMA played; CREATE SEQUENCE played.times;
		CREATE FUNCTION played.pg_logical_emit_message(boolean, text, text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int := nextval('played.times'); BEGIN `+body+` RETURN n; END $$;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = played, public, pg_catalog', current_database()); END $$`)
}

// elsewhere makes schools in another database than the one that records what becomes of them.
func elsewhere(t *testing.T, n int) (url string, conn *pgx.Conn, north string) {
	t.Helper()
	url, conn = schools(t, load(t, folder(t, one...)), 0)
	north = testkit.EmptyDatabase(t)
	exec(t, conn, "INSERT INTO databases (id, name, url, kind) VALUES (gen_random_uuid(), 'north', '"+north+"', 'shared')")
	for i := range n {
		school(t, conn, connect(t, north), load(t, folder(t, one...)), fmt.Sprintf("s%02d", i), "north")
	}
	return url, conn, north
}

// A flush that fails for the moment leaves no connection in the middle of its transaction.
func TestRecordIsFlushedAgain(t *testing.T) {
	t.Parallel()
	url, conn, _ := elsewhere(t, 3)
	flushes(t, url, "IF n = 1 THEN RAISE 'No space left on device' USING ERRCODE = '53100'; END IF;")
	summary, _ := roll(t, fleet.Rollout{Directory: load(t, folder(t, two...))}, url)
	expectSummary(t, summary, fleet.Summary{Schools: 3, Migrated: 3})
	if n := query[int](t, conn, "SELECT count(*) FROM clients WHERE schema_version = '2'"); n != 3 {
		t.Errorf("%d schools are recorded", n)
	}
	if query[int](t, conn, "SELECT last_value FROM played.times") < 2 {
		t.Error("it was not flushed again: the test proves nothing")
	}
}

// Of a school whose server does not keep what is committed nothing is told but that: where it was is all that is sure.
func TestWhatIsNeverFlushedIsNotTold(t *testing.T) {
	t.Parallel()
	url, conn, north := elsewhere(t, 3)
	exec(t, connect(t, north), "CREATE TABLE s01.c ()")
	flushes(t, north, "PERFORM pg_terminate_backend(pg_backend_pid());")
	d := load(t, folder(t, append(two[:4:4], "3", "CREATE TABLE c ();")...))
	summary, outcomes := roll(t, fleet.Rollout{Directory: d, Parallel: 1, MaxFailures: 3}, url)
	if summary.Failed != 3 || summary.Stopped == "" {
		t.Errorf("%+v", summary)
	}
	for code, o := range outcomes {
		if o.Failure == nil || o.From != "1" || o.To != "1" || (code == "s01") != strings.Contains(o.Failure.Message, "already exists") {
			t.Errorf("%+v: %v", o, o.Failure)
		}
	}
	if n := query[int](t, conn, "SELECT count(*) FROM clients WHERE schema_version = '1' AND migration_error <> ''"); n != 3 {
		t.Errorf("%d schools are recorded as what they are", n)
	}
}

// A flush takes as long as a commit would: here a standby server that it waits for is away for a while.
func TestFlushWaitsLikeACommit(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 0)
	server, _ := testkit.SecondServer(t)
	north := server.URL("postgres")
	exec(t, conn, "INSERT INTO databases (id, name, url, kind) VALUES (gen_random_uuid(), 'north', '"+north+"', 'shared')")
	school(t, conn, connect(t, north), load(t, folder(t, one...)), "s00", "north")
	there := connect(t, north)
	exec(t, there, "ALTER DATABASE postgres SET synchronous_commit = on")
	exec(t, there, "ALTER SYSTEM SET synchronous_standby_names = 'away'")
	exec(t, there, "SELECT pg_reload_conf()")
	back := make(chan error, 1)
	time.AfterFunc(6*time.Second, func() {
		_, err := there.Exec(t.Context(), "ALTER SYSTEM RESET synchronous_standby_names")
		if err == nil {
			_, err = there.Exec(t.Context(), "SELECT pg_reload_conf()")
		}
		back <- err
	})
	begun := time.Now()
	summary, outcomes := roll(t, fleet.Rollout{Directory: load(t, folder(t, two...))}, url)
	if err := <-back; err != nil || time.Since(begun) < 6*time.Second {
		t.Fatalf("it has not waited: %v", err)
	}
	expectSummary(t, summary, fleet.Summary{Schools: 1, Migrated: 1})
	if o := outcomes["s00"]; o.Attempts != 1 {
		t.Errorf("done again: %+v", o)
	}
}

// What somebody records must be on the disk, whoever did it; who only looks writes nothing.
func TestWhatIsRecordedIsFlushed(t *testing.T) {
	t.Parallel()
	url, conn, north := elsewhere(t, 2)
	exec(t, conn, "UPDATE clients SET schema_version = '0'") // as while another run is at work
	flushes(t, north, "")
	there := connect(t, north)
	flushed := func() bool { return query[bool](t, there, "SELECT is_called FROM played.times") }
	d := load(t, folder(t, two...))
	r := fleet.Rollout{Directory: d, Connect: fleet.Dial(url)}
	if plans, _, err := r.Plan(t.Context()); err != nil || len(plans) != 1 || flushed() {
		t.Errorf("%+v %v, or something was written", plans, err)
	}
	targets, err := fleet.Targets(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := d.Verify(t.Context(), there, targets); err != nil || !found[0].Wrong() || !flushed() {
		t.Errorf("%+v %v, or it is not on the disk", found, err)
	}
}

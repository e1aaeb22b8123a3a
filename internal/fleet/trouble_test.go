package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestRolloutSurvivesLostConnections(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 20)
	ended, done := 0, make(chan struct{})
	var killer sync.WaitGroup
	other := connect(t, url)
	killer.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(15 * time.Millisecond):
				var n int
				err := other.QueryRow(context.Background(), `SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
					WHERE datname = current_database() AND query LIKE '%pg_sleep(0.02)%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) w`).Scan(&n)
				if err != nil {
					t.Error(err)
					return
				}
				if ended += n; ended > 8 {
					return
				}
			}
		}
	})
	d := load(t, folder(t, append(two[:4:4], "3", "INSERT INTO ran VALUES (3);\nSELECT pg_sleep(0.02);")...))
	summary, _ := roll(t, fleet.Rollout{Directory: d, Parallel: 4}, url)
	close(done)
	killer.Wait()
	expectSummary(t, summary, fleet.Summary{Schools: 20, Migrated: 20})
	if ended == 0 {
		t.Error("no connection was ended: the test proves nothing")
	}
	wholeSchools(t, conn, 20, "{2,3}")
}

// When the connections that nobody uses at the end are all lost, what became of the schools is recorded.
func TestIdleConnectionsAreLost(t *testing.T) {
	t.Parallel()
	const most = 12
	url, conn := schools(t, load(t, folder(t, one...)), most)
	d := load(t, folder(t, append(two[:4:4], "3", "SELECT pg_sleep(0.3);")...))
	lost, done := 0, 0
	r := fleet.Rollout{Directory: d, Parallel: most, Connect: fleet.Dial(url), Finished: func(fleet.Outcome) {
		if done++; done == most {
			lost = query[int](t, conn, "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		}
	}}
	summary, err := r.Run(t.Context())
	if err != nil || lost < 8 {
		t.Errorf("%d connections were lost: %v", lost, err)
	}
	expectSummary(t, summary, fleet.Summary{Schools: most, Migrated: most})
	if n := query[int](t, conn, "SELECT count(*) FROM clients WHERE schema_version = '3'"); n != most {
		t.Errorf("%d are recorded", n)
	}
}

// Schools that come and go meanwhile are neither forgotten nor failures.
func TestSchoolsComeAndGoMeanwhile(t *testing.T) {
	t.Parallel()
	old := load(t, folder(t, one...))
	url, conn := schools(t, old, 6)
	var once sync.Once
	r := fleet.Rollout{Directory: load(t, folder(t, two...)), Parallel: 1, Connect: fleet.Dial(url)}
	outcomes := map[string]fleet.Outcome{}
	r.Finished = func(o fleet.Outcome) {
		outcomes[o.School] = o
		once.Do(func() {
			school(t, conn, conn, old, "late", "primary")
			for i := range 6 {
				if code := fmt.Sprintf("s%02d", i); code != o.School {
					exec(t, conn, fmt.Sprintf("DROP SCHEMA %[1]s CASCADE; DELETE FROM clients WHERE code = '%[1]s'", code))
				}
			}
		})
	}
	// The first school is held up until the others are gone.
	r.Canary.Count = 1
	summary, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expectSummary(t, summary, fleet.Summary{Schools: 2, Migrated: 2})
	if outcomes["late"].To != "2" {
		t.Errorf("%+v", outcomes)
	}
}

func TestSchemaThatIsNotThere(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 2)
	exec(t, conn, "DROP SCHEMA s01 CASCADE")
	summary, outcomes := roll(t, fleet.Rollout{Directory: load(t, folder(t, two...))}, url)
	expectSummary(t, summary, fleet.Summary{Schools: 2, Migrated: 1, Failed: 1})
	if f := outcomes["s01"].Failure; f == nil || !strings.Contains(f.Message, "not there") {
		t.Errorf("%+v", f)
	}
}

func TestRolloutOverDatabases(t *testing.T) {
	t.Parallel()
	old := load(t, folder(t, one...))
	url, conn := schools(t, old, 3)
	north := testkit.EmptyDatabase(t)
	exec(t, conn, "INSERT INTO databases (id, name, url, kind) VALUES (gen_random_uuid(), 'north', '"+north+"', 'shared'), (gen_random_uuid(), 'south', 'postgres://nobody@127.0.0.1:1/none', 'shared')")
	there := connect(t, north)
	school(t, conn, there, old, "n00", "north")
	school(t, conn, there, old, "n01", "north")
	school(t, conn, connect(t, testkit.EmptyDatabase(t)), old, "x00", "south")
	summary, outcomes := roll(t, fleet.Rollout{Directory: load(t, folder(t, two...)), Parallel: 2}, url)
	expectSummary(t, summary, fleet.Summary{Schools: 6, Migrated: 5, Failed: 1})
	if f := outcomes["x00"].Failure; f == nil || !strings.Contains(f.Message, "can't be reached") {
		t.Errorf("%+v", f)
	}
	if !query[bool](t, there, "SELECT count(*) = 1 FROM n01.ran") || query[string](t, conn, "SELECT string_agg(code || schema_version || migration_error, ' ' ORDER BY code) FROM clients WHERE database <> 'primary'") != "n002 n012 x001" {
		t.Error("the rows do not say what became of their schools")
	}
}

// A full disk may be a moment's: an event trigger plays it, twice.
func TestFullDiskIsTriedAgain(t *testing.T) {
	t.Parallel()
	url, conn := schools(t, load(t, folder(t, one...)), 2)
	exec(t, conn, `CREATE SEQUENCE public.tries; CREATE FUNCTION public.full_disk() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('public.tries') <= 2 THEN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100', HINT = 'Check free disk space.'; END IF; END $$;
		CREATE EVENT TRIGGER full_disk ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION public.full_disk()`)
	d := load(t, folder(t, two...))
	summary, outcomes := roll(t, fleet.Rollout{Directory: d, Parallel: 1}, url)
	expectSummary(t, summary, fleet.Summary{Schools: 2, Migrated: 2})
	if outcomes["s00"].Attempts+outcomes["s01"].Attempts != 4 {
		t.Errorf("%+v", outcomes)
	}
}

// Who is told to stop while it connects leaves no connection behind.
func TestToldToStopWhileItConnects(t *testing.T) {
	t.Parallel()
	old := load(t, folder(t, one...))
	url, conn := schools(t, old, 0)
	north := testkit.EmptyDatabase(t)
	school(t, conn, connect(t, north), old, "s00", "north")
	ctx, stop := context.WithCancel(t.Context())
	var late *pgx.Conn
	r := fleet.Rollout{Directory: load(t, folder(t, two...)), Connect: func(ctx context.Context, target fleet.Target) (conn *pgx.Conn, err error) {
		if target.Database != "north" {
			return pgx.Connect(ctx, url)
		}
		late, err = pgx.Connect(ctx, north)
		stop()
		return late, err
	}}
	summary, err := r.Run(ctx)
	if !errors.Is(err, context.Canceled) || late == nil || !late.IsClosed() {
		t.Errorf("%v, or it has not connected, or not closed the connection", err)
	}
	expectSummary(t, summary, fleet.Summary{Schools: 1, Left: 1})
}

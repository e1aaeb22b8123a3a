package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// TestNothingIsToldThatACrashTakesBack has the schools' server crash as soon as a rollout tells of one. That takes what
// was committed and not flushed: what is recorded and told of a school, it has.
func TestNothingIsToldThatACrashTakesBack(t *testing.T) {
	t.Parallel()
	const many = 60
	url, conn := schools(t, load(t, folder(t, one...)), 0)
	server, _ := testkit.SecondServer(t)
	north := server.URL("postgres")
	testkit.On(t, north, "ALTER DATABASE postgres SET synchronous_commit = on")
	testkit.On(t, north, "ALTER SYSTEM SET wal_writer_delay = '10s'") // what nobody flushes is lost
	testkit.On(t, north, "SELECT pg_reload_conf()")
	exec(t, conn, "INSERT INTO databases (id, name, url, kind) VALUES (gen_random_uuid(), 'north', '"+north+"', 'shared')")
	for i := range many {
		school(t, conn, connect(t, north), load(t, folder(t, one...)), fmt.Sprintf("n%02d", i), "north")
	}
	files := one
	for version := 2; version < 6; version++ {
		files = append(files[:len(files):len(files)], fmt.Sprint(version), fmt.Sprintf("INSERT INTO ran VALUES (%d);\nSELECT pg_sleep(0.01);", version))
		d := load(t, folder(t, files...))
		told, now := map[string]string{}, make(chan struct{})
		var crashing errgroup.Group
		crashing.Go(func() error { return crash(t.Context(), north, now) })
		r := fleet.Rollout{Directory: d, Parallel: 2, Connect: fleet.Dial(url), Finished: func(o fleet.Outcome) {
			if told[o.School] = o.To; len(told) == 1 {
				close(now)
			}
		}}
		_, err := r.Run(t.Context())
		if err := errors.Join(err, crashing.Wait()); err != nil {
			t.Fatal(err)
		}
		has := answering(t, north)
		for i := range many {
			code := fmt.Sprintf("n%02d", i)
			is := query[string](t, has, "SELECT max(version) FROM "+code+".atlas_schema_revisions")
			recorded := query[string](t, conn, "SELECT schema_version FROM clients WHERE code = '"+code+"'")
			if is < recorded || is < told[code] {
				t.Fatalf("%s is at %s, and was told to be at %q and recorded at %s", code, is, told[code], recorded)
			}
		}
		summary, _ := roll(t, fleet.Rollout{Directory: d, Parallel: 2}, url)
		if summary.Current() != many {
			t.Fatalf("%+v", summary)
		}
	}
}

// crash ends one of the server's processes when it is told to: the others end too, and all of it starts anew with
// what is on the disk.
func crash(ctx context.Context, url string, now <-chan struct{}) error {
	victim, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	witness, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	<-now
	if err := syscall.Kill(int(victim.PgConn().PID()), syscall.SIGKILL); err != nil {
		return err
	}
	_, _ = witness.WaitForNotification(ctx) // until it is ended
	return ctx.Err()
}

// answering connects to a server once it is back.
func answering(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err := pgx.Connect(t.Context(), url); err == nil && conn.Ping(t.Context()) == nil {
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			return conn
		}
	}
	t.Fatal("the server does not come back")
	return nil
}

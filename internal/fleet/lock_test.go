package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// eventually waits until a query says true.
func eventually(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	for start := time.Now(); !query[bool](t, conn, sql); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("never: " + sql)
		}
	}
}

// sleeping tells a connection to the same database that is at pg_sleep.
const sleeping = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')"

// applying applies a directory to public in the background.
func applying(ctx context.Context, t *testing.T, d *fleet.Directory, conn *pgx.Conn) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := d.Apply(ctx, conn, "public")
		done <- err
	}()
	return done
}

// atlasLock is the lock that the atlas command holds while it applies.
func atlasLock() uint32 {
	sum := fnv.New32()
	_, _ = sum.Write([]byte("atlas_migrate_execute"))
	return sum.Sum32()
}

func TestApplyWaitsForTheAtlasCommand(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	command := connect(t, url)
	exec(t, command, fmt.Sprintf("SELECT pg_advisory_lock(%d)", atlasLock()))
	d := load(t, folder(t, "1", "CREATE TABLE a (id int);"))
	done := applying(t.Context(), t, d, connect(t, url))
	// The first attempt has come and gone.
	eventually(t, command, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query = 'ROLLBACK')")
	select {
	case err := <-done:
		t.Fatal("it did not wait: ", err)
	default:
	}
	if query[bool](t, command, "SELECT to_regclass('public.a') IS NOT NULL") {
		t.Error("it applied a file beside the atlas command")
	}
	exec(t, command, "SELECT pg_advisory_unlock_all()")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheAtlasCommandWaitsForApply(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "-- atlas:txmode none\n\n"} {
		url := testkit.EmptyDatabase(t)
		command := connect(t, url)
		try := fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", atlasLock())
		done := applying(t.Context(), t, load(t, folder(t, "1", mode+"SELECT pg_sleep(1);")), connect(t, url))
		eventually(t, command, sleeping)
		if query[bool](t, command, try) {
			t.Errorf("%q: the atlas command could apply meanwhile", mode)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !query[bool](t, command, try) {
			t.Errorf("%q: it is kept out for good", mode)
		}
	}
}

// Who is told to stop finishes the file that is being applied, and begins no other.
func TestToldToStop(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	conn := connect(t, url)
	ctx, stop := context.WithCancel(t.Context())
	done := applying(ctx, t, load(t, folder(t, "1", "SELECT pg_sleep(1);", "2", "SELECT pg_sleep(1);")), connect(t, url))
	eventually(t, conn, sleeping)
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := query[string](t, conn, "SELECT string_agg(version, ' ') FROM public.atlas_schema_revisions"); got != "1" {
		t.Errorf("applied: %s", got)
	}
}

package jobs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/jobs"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// database returns the URL of a database with the schema of jobs and nothing else.
func database(t *testing.T) string {
	t.Helper()
	url := testkit.EmptyDatabase(t)
	must(t, jobs.Migrate(t.Context(), connect(t, url)))
	return url
}

// start lets a runner run until the function that it returns, or the test, ends it.
func start(t *testing.T, s jobs.Settings) (*jobs.Runner, func()) {
	t.Helper()
	s.Log = zerolog.New(zerolog.NewTestWriter(t))
	runner, err := jobs.New(t.Context(), s)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		must(t, <-ended)
	})
	t.Cleanup(stop)
	return runner, stop
}

// within waits for a signal, generously.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(60 * time.Second):
		t.Fatal("waited in vain for " + what)
		panic("unreachable")
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	conn := connect(t, url)
	behind, err := jobs.Behind(t.Context(), conn)
	must(t, err)
	version, err := jobs.Version()
	must(t, err)
	if behind == 0 || behind != version {
		t.Errorf("an empty database is %d behind, of %d", behind, version)
	}
	failed := make(chan error)
	for range 3 { // at once
		go func() {
			conn, err := pgx.Connect(t.Context(), url)
			if err == nil {
				err = errors.Join(jobs.Migrate(t.Context(), conn), conn.Close(t.Context()))
			}
			failed <- err
		}()
	}
	for range 3 {
		must(t, <-failed)
	}
	behind, err = jobs.Behind(t.Context(), conn)
	must(t, err)
	if behind != 0 {
		t.Errorf("still %d behind", behind)
	}
}

// Of several replicas, and of those that come after, one does a periodic job in its period.
func TestPeriodicJobsRunOnce(t *testing.T) {
	t.Parallel()
	url := database(t)
	done := make(chan string, 100)
	periodic := func(names ...string) (all []jobs.Periodic) {
		for _, name := range names {
			all = append(all, jobs.Periodic{Name: name, Every: 24 * time.Hour, Do: func(context.Context) error {
				done <- name
				return nil
			}})
		}
		return all
	}
	_, stopA := start(t, jobs.Settings{URL: url, Periodic: periodic("one", "two"), Drain: time.Second})
	_, stopB := start(t, jobs.Settings{URL: url, Periodic: periodic("one", "two"), Drain: time.Second})
	first, second := within(t, done, "one and two"), within(t, done, "one and two")
	stopA()
	stopB()
	if first == second {
		t.Fatalf("%s ran twice", first)
	}
	start(t, jobs.Settings{URL: url, Periodic: periodic("one", "two", "three"), Drain: time.Second})
	if next := within(t, done, "three"); next != "three" {
		t.Errorf("%s ran again", next)
	}
	var twice int
	must(t, connect(t, url).QueryRow(t.Context(), "SELECT count(*) - count(DISTINCT args) FROM jobs.river_job").Scan(&twice))
	if twice != 0 {
		t.Errorf("%d jobs too many", twice)
	}
}

// What a replica leaves undone when it is cut off, another does; what had time to finish is not repeated.
func TestCutOff(t *testing.T) {
	t.Parallel()
	url := database(t)
	begun, finished := make(chan uuid.UUID, 10), make(chan uuid.UUID, 10)
	quick, slow := uuid.New(), uuid.New()
	release := make(chan struct{})
	dying, stop := start(t, jobs.Settings{URL: url, Drain: time.Second, Operation: func(ctx context.Context, id uuid.UUID, _ bool) error {
		begun <- id
		if id == quick {
			<-release
			finished <- id
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	for _, id := range []uuid.UUID{quick, slow, slow} {
		must(t, dying.Begin(t.Context(), id))
	}
	within(t, begun, "the first job")
	within(t, begun, "the second job")
	time.AfterFunc(100*time.Millisecond, func() { close(release) }) // while it drains
	stop()
	if id := within(t, finished, "the quick job"); id != quick {
		t.Error("the slow one finished")
	}
	start(t, jobs.Settings{URL: url, Operation: func(_ context.Context, id uuid.UUID, last bool) error {
		if last {
			t.Error("the second attempt is the last")
		}
		finished <- id
		return nil
	}})
	if id := within(t, finished, "the slow job, by another"); id != slow {
		t.Error("the quick one was repeated")
	}
}

// A process that was killed says nothing: its job is taken from it when its time is over.
func TestKilled(t *testing.T) {
	t.Parallel()
	url := database(t)
	id := uuid.New()
	insert, err := jobs.New(t.Context(), jobs.Settings{URL: url})
	must(t, err)
	must(t, insert.Begin(t.Context(), id))
	_, err = connect(t, url).Exec(t.Context(), "UPDATE jobs.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 hour', attempted_by = '{killed}'")
	must(t, err)
	must(t, insert.Begin(t.Context(), id))
	finished := make(chan uuid.UUID, 10)
	start(t, jobs.Settings{URL: url, Operation: func(_ context.Context, id uuid.UUID, _ bool) error {
		finished <- id
		return nil
	}})
	if got := within(t, finished, "the job of the killed"); got != id {
		t.Errorf("another job: %s", got)
	}
	var n int
	must(t, connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM jobs.river_job").Scan(&n))
	if n != 1 {
		t.Errorf("%d jobs of one operation", n)
	}
}

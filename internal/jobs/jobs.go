// Package jobs does work in the background that outlives the process which was asked for it: it is kept in
// PostgreSQL, done by whichever replica is free, and done again where a replica has died in the middle. So
// whatever is done here may be repeated.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Conns is how many connections a runner has, beside all others of its process.
const Conns = 2

const (
	atOnce      = 4                // jobs of one runner; they work over the pools, not over its connections
	jobTimeout  = 10 * time.Minute // for one attempt
	rescueAfter = 15 * time.Minute // an attempt that began so long ago has died with its process
	leastDrain  = time.Millisecond
)

// Periodic is work that is done again and again: in each period once, however many replicas there are.
type Periodic struct {
	Name  string
	Every time.Duration
	Do    func(context.Context) error
}

// Settings are what a runner works by.
type Settings struct {
	URL       string        // of the database that holds the jobs; a pooler may stand before it
	Drain     time.Duration // how long jobs at work may take to finish when it stops
	Periodic  []Periodic
	Operation Operation
	Log       zerolog.Logger
}

// Operation carries out an operation. After an error it is called again, later and perhaps in another
// process, unless this was the last attempt.
type Operation func(ctx context.Context, id uuid.UUID, last bool) error

// Runner does the jobs of the database together with the runners of all replicas.
type Runner struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	log    zerolog.Logger
}

// New returns a runner. It does not connect yet. Run closes it.
func New(ctx context.Context, s Settings) (*Runner, error) {
	pool, err := postgres.NewPool(ctx, s.URL, Conns)
	if err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &periodicWorker{all: s.Periodic})
	river.AddWorker(workers, &operationWorker{do: s.Operation})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: Schema, Workers: workers, PeriodicJobs: periodicJobs(s.Periodic),
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: atOnce}},
		PollOnly:   true, // so it needs no session of its own, which a pooler would not give it
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, SoftStopTimeout: max(s.Drain, leastDrain),
		Logger: slog.New(zerolog.NewSlogHandler(s.Log.Level(max(s.Log.GetLevel(), zerolog.WarnLevel)))),
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("preparing the background jobs: %w", err)
	}
	return &Runner{pool, client, s.Log}, nil
}

// Run does jobs until ctx ends. Then it begins no more; what is at work by then finishes in the time that
// Settings.Drain gives, or is cut off and left for others to do again.
func (r *Runner) Run(ctx context.Context) error {
	defer r.pool.Close()
	for {
		err := r.client.Start(r.log.WithContext(ctx))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		r.log.Warn().Err(err).Msg("background jobs can't be done yet")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	<-r.client.Stopped()
	return nil
}

// Begin has an operation carried out, soon. Saying so again while it is not done changes nothing.
func (r *Runner) Begin(ctx context.Context, id uuid.UUID) error {
	_, err := r.client.Insert(ctx, operationArgs{ID: id}, nil)
	return postgres.Fault(err)
}

// unfinished are the states of a job that is still to be done.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

type operationArgs struct {
	ID uuid.UUID `json:"id" river:"unique"`
}

// Kind is what the jobs are called in the table.
func (operationArgs) Kind() string { return "operation" }

// InsertOpts lets an operation have one job at a time.
func (operationArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished}}
}

type operationWorker struct {
	river.WorkerDefaults[operationArgs]
	do Operation
}

// Work makes one attempt.
func (w *operationWorker) Work(ctx context.Context, job *river.Job[operationArgs]) error {
	return w.do(ctx, job.Args.ID, job.Attempt >= job.MaxAttempts)
}

type periodicArgs struct {
	Name string `json:"name" river:"unique"`
}

// Kind is what the jobs are called in the table.
func (periodicArgs) Kind() string { return "periodic" }

// periodicAttempts is how often it is tried before the next period.
const periodicAttempts = 3

func periodicJobs(all []Periodic) (jobs []*river.PeriodicJob) {
	for _, p := range all {
		opts := &river.InsertOpts{MaxAttempts: periodicAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: p.Every}}
		jobs = append(jobs, river.NewPeriodicJob(river.PeriodicInterval(p.Every),
			func() (river.JobArgs, *river.InsertOpts) { return periodicArgs{p.Name}, opts },
			&river.PeriodicJobOpts{ID: p.Name, RunOnStart: true})) // unless that was done in this period
	}
	return jobs
}

type periodicWorker struct {
	river.WorkerDefaults[periodicArgs]
	all []Periodic
}

// Work does it once. What this program does not know, another version has put there: that does it.
func (w *periodicWorker) Work(ctx context.Context, job *river.Job[periodicArgs]) error {
	for _, p := range w.all {
		if p.Name == job.Args.Name {
			err := p.Do(ctx)
			if err != nil { // river itself takes it down in its table alone
				zerolog.Ctx(ctx).Warn().Err(err).Str("job", p.Name).Int("attempt", job.Attempt).Msg("background work has failed")
			}
			return err
		}
	}
	return fmt.Errorf("this version of the program knows no periodic job %q", job.Args.Name)
}

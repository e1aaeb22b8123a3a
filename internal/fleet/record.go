package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// recorded is an outcome on its way into public.clients.
type recorded struct {
	Outcome
	changed bool // the schema was worked at
}

// How many outcomes are recorded at once, and how long the first of them waits for others.
const (
	batchSize = 100
	batchTime = 200 * time.Millisecond
)

// recorder writes the outcomes into public.clients, which announces the schools to all that serve them.
type recorder struct {
	run   *run
	dry   bool // it writes nothing
	full  chan []recorded
	done  chan error
	timer *time.Timer // of the batch

	mu    sync.Mutex
	batch []recorded
}

func (r *run) record(dry bool) *recorder {
	rec := &recorder{run: r, dry: dry, full: make(chan []recorded, 1), done: make(chan error, 1)}
	rec.timer = time.AfterFunc(batchTime, rec.flush)
	go func() { rec.done <- rec.work() }()
	return rec
}

// add takes an outcome. Most of those who bring one wake nobody.
func (rec *recorder) add(o recorded) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.run.Finished != nil && (o.Attempts > 0 || o.Failure != nil || o.Skipped != "") {
		rec.run.Finished(o.Outcome)
	}
	if rec.dry || !o.worthWriting() {
		return
	}
	rec.batch = append(rec.batch, o)
	switch len(rec.batch) {
	case 1:
		rec.timer.Reset(batchTime)
	case batchSize:
		rec.hand()
	}
}

func (rec *recorder) flush() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.hand()
}

// hand gives the batch to be written. The lock is held: who comes while too much is waiting waits too.
func (rec *recorder) hand() {
	if len(rec.batch) > 0 {
		rec.full <- rec.batch
		rec.batch = nil
	}
}

// close waits until all is written.
func (rec *recorder) close() error {
	rec.flush()
	close(rec.full)
	return <-rec.done
}

// work writes the batches. What can't be written is told at the end: the schools are as they are, and the
// next run finds them so.
func (rec *recorder) work() error {
	var lost int
	var why error
	for batch := range rec.full {
		if err := rec.write(batch); err != nil {
			lost, why = lost+len(batch), err
		}
	}
	if lost > 0 {
		return fmt.Errorf("the outcome of %d schools could not be recorded: %w", lost, postgres.Fault(why))
	}
	return nil
}

// worthWriting leaves alone what says so already, and schools that nobody could look at.
func (o recorded) worthWriting() bool {
	if !o.changed && o.Failure != nil && unreachable(o.Failure) {
		return false
	}
	return o.changed || o.To != o.Target.Recorded.Version || o.failure() != o.Target.Recorded.Error
}

func (o recorded) failure() string {
	if o.Failure == nil {
		return ""
	}
	return o.Failure.Error()
}

// write makes the rows say what became of their schools. A school that is another by now, or elsewhere,
// is left alone.
func (rec *recorder) write(batch []recorded) error {
	var codes, schemas, databases, versions, failures []string
	var changed []bool
	var took []int64
	for _, o := range batch {
		codes, schemas, databases = append(codes, o.School), append(schemas, o.Schema), append(databases, o.Database)
		versions, failures = append(versions, o.To), append(failures, o.failure())
		changed, took = append(changed, o.changed), append(took, o.Milliseconds)
	}
	const update = `UPDATE public.clients c SET schema_version = o.version, migration_error = o.failure, updated_at = now(),
		migrated_at = CASE WHEN o.changed THEN now() ELSE c.migrated_at END, migration_ms = CASE WHEN o.changed THEN o.took ELSE c.migration_ms END
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bigint[]) AS o (code, schema, database, version, failure, changed, took)
		WHERE c.code = o.code AND c.schema_name = o.schema AND c.database = o.database`
	p := rec.run.primary
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var waited patience
	for {
		err := p.with(ctx, func(conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, update, pgx.QueryExecModeExec, codes, schemas, databases, versions, failures, changed, took); err != nil {
				return err
			}
			return flush(ctx, conn) // it may be one of a worker's
		})
		if err == nil {
			return nil
		}
		if err := waited.wait(ctx, err); err != nil {
			return err
		}
	}
}

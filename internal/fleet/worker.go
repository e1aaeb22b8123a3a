package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// worker brings schools up, one after the other, on one connection. What it commits there is flushed for
// many schools at once, which saves half of what a small ALTER costs, and nobody is told of a school before
// that. Where the connection is lost, so may be what was not flushed: those schools are done again.
type worker struct {
	run   *run
	place *place
	queue <-chan job
	rec   *recorder

	conn  *pgx.Conn // nil where there is none
	done  []done    // on conn, and not flushed
	since time.Time // the first of those
	again []job
}

// done is a school that a worker has done with.
type done struct {
	job     job
	outcome Outcome
	missing bool
	told    bool // to stop, in the middle
}

// mostDoubts is how often a school is done again because it was not flushed.
const mostDoubts = 2

func (w *worker) work(ctx context.Context) {
	for !w.run.over(ctx) {
		j, ok := w.next()
		if ok {
			w.school(ctx, j)
		}
		if !ok && len(w.done) == 0 {
			break
		}
		if !ok || len(w.done) >= batchSize || w.conn != nil && (w.conn.IsClosed() || time.Since(w.since) > batchTime) {
			w.settle(ctx)
		}
	}
	w.settle(ctx)
	if w.conn != nil {
		w.place.give(w.conn)
	}
}

func (w *worker) next() (j job, ok bool) {
	if n := len(w.again); n > 0 {
		j, w.again = w.again[n-1], w.again[:n-1]
		return j, true
	}
	j, ok = <-w.queue
	return j, ok
}

// school brings one school up.
func (w *worker) school(ctx context.Context, j job) {
	start, r := time.Now(), w.run
	o := Outcome{Target: j.Target, From: j.state.Version, To: j.state.Version}
	if w.conn == nil {
		conn, err := w.place.take(ctx)
		w.conn = conn
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.place.fail(err)
			o.Failure = explain(err)
			r.finish(o, false, w.rec)
			return
		}
	}
	c := &climb{directory: r.Directory, schema: j.Schema, conn: w.conn, connect: w.place.connect, state: j.state, from: j.state.Version}
	err := c.up(ctx)
	d := done{job: j, missing: err != nil && c.missing(ctx)}
	o.From, o.To, o.Attempts, o.Milliseconds = c.from, c.state.Version, 1+c.retries, time.Since(start).Milliseconds()
	if j.doubts > 0 {
		o.From = j.from
	}
	switch {
	case d.missing:
	case err != nil && ctx.Err() != nil && (errors.Is(err, context.Canceled) || unreachable(err)):
		d.told, o.Attempts = true, 0
	case err != nil:
		o.Failure = explain(err)
		if unreachable(err) {
			w.place.fail(err)
		}
		r.failed()
	case c.state.Ahead:
		o.Skipped = "ahead of this program"
	}
	d.outcome = o
	w.keep(c.conn, d)
}

// keep takes what was done on a connection, which may be another than before.
func (w *worker) keep(conn *pgx.Conn, d done) {
	if w.conn != conn {
		w.doubt(errLost)
	}
	w.conn = conn
	if len(w.done) == 0 {
		w.since = time.Now()
	}
	w.done = append(w.done, d)
}

var errLost = errors.New("the connection was lost before what was done was on the disk")

// doubt has the schools done again that were not flushed. Of one that is not, all that is sure is where it was.
func (w *worker) doubt(err error) {
	for _, d := range w.done {
		d.job.from, d.outcome.To = d.outcome.From, d.outcome.From
		d.job.doubts++
		switch {
		case d.told: // it is left to do
		case d.missing, d.outcome.Failure != nil:
			d.tell(w)
		case d.job.doubts <= mostDoubts:
			w.again = append(w.again, d.job)
		default:
			d.outcome.Failure = explain(err)
			w.run.failed()
			d.tell(w)
		}
	}
	w.done = nil
}

// settle flushes, and tells of what was done.
func (w *worker) settle(ctx context.Context) {
	if len(w.done) == 0 {
		return
	}
	ctx, cancel := graceful(ctx)
	defer cancel()
	if err := flush(ctx, w.conn); err != nil {
		w.doubt(err)
	}
	for _, d := range w.done {
		d.tell(w)
	}
	w.done = nil
	if w.conn.IsClosed() {
		w.place.give(w.conn)
		w.conn = nil
	}
}

// tell says how it went with a school.
func (d done) tell(w *worker) {
	changed := d.outcome.From != d.outcome.To
	switch {
	case d.missing:
		w.run.gone(d.outcome, w.rec)
	case !d.told:
		w.run.finish(d.outcome, changed || d.outcome.Failure != nil, w.rec)
	case changed: // it is left to do, but what is done of it is recorded
		w.rec.add(recorded{d.outcome, true})
	}
}

// flush returns when all that was committed on the connection is on the disk, and on the standby servers that
// a commit waits for, even where the commits themselves did not wait (PostgreSQL manual, Asynchronous
// Commit). The message is there for something to be flushed; nothing reads it. After an error the connection is
// closed: it may be in the middle of that.
func flush(ctx context.Context, conn *pgx.Conn) error {
	err := conn.PgConn().Exec(ctx, `BEGIN; SET LOCAL synchronous_commit TO DEFAULT;
SELECT pg_logical_emit_message(true, 'homeroom', ''); COMMIT`).Close()
	if err != nil {
		_ = conn.Close(ctx)
	}
	return err
}

// missing reports whether the schema was dropped meanwhile.
func (c *climb) missing(ctx context.Context) (missing bool) {
	err := c.conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NULL", pgx.QueryExecModeExec, postgres.Ident(c.schema)).Scan(&missing)
	return err == nil && missing
}

package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// place is a database of the fleet and the connections to it that nobody uses.
type place struct {
	connect func(context.Context) (*pgx.Conn, error)

	mu      sync.Mutex
	idle    []*pgx.Conn
	reached bool  // once at least
	down    error // it can't be reached any more
}

// take returns a connection. With give it is there for the next.
func (p *place) take(ctx context.Context) (*pgx.Conn, error) {
	p.mu.Lock()
	n, reached, down := len(p.idle), p.reached, p.down
	if n > 0 && down == nil {
		conn := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return conn, nil
	}
	p.mu.Unlock()
	if down != nil {
		return nil, down
	}
	var waited patience
	for {
		conn, err := p.connect(ctx)
		if err == nil || !reached && stateOf(err) == "" { // a server that answers may be starting, or full
			return conn, err
		}
		if err := waited.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// give takes a connection back. Where one was lost, those that nobody uses may be lost too.
func (p *place) give(conn *pgx.Conn) {
	p.mu.Lock()
	p.reached = true
	var lost []*pgx.Conn
	if conn.IsClosed() {
		lost, p.idle = p.idle, nil
	} else {
		p.idle = append(p.idle, conn)
	}
	p.mu.Unlock()
	closeAll(lost)
}

// with runs do with a connection, and once more with another where that one was lost: it may have been so
// since it was last used.
func (p *place) with(ctx context.Context, do func(*pgx.Conn) error) error {
	for again := true; ; again = false {
		conn, err := p.take(ctx)
		if err != nil {
			return err
		}
		err = do(conn)
		lost := conn.IsClosed()
		p.give(conn)
		if err == nil || !lost || !again || ctx.Err() != nil {
			return err
		}
	}
}

func (p *place) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = err
}

// at returns the place of a target.
func (r *run) at(t Target) *place {
	p := r.places[t.Place()]
	if p == nil {
		p = &place{connect: func(ctx context.Context) (*pgx.Conn, error) { return r.Connect(ctx, t) }}
		r.places[t.Place()] = p
	}
	return p
}

func (r *run) close() {
	for _, p := range r.places {
		closeAll(p.idle)
	}
}

func closeAll(conns []*pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	for _, conn := range conns {
		_ = conn.Close(ctx)
	}
}

// byPlace sorts things by the database of their target.
func byPlace[T any](things []T, target func(T) Target) map[string][]T {
	sorted := map[string][]T{}
	for _, thing := range things {
		place := target(thing).Place()
		sorted[place] = append(sorted[place], thing)
	}
	return sorted
}

// believe takes what is recorded of schools that are behind for the truth: each message makes sure, and
// to look first would take longer than most migrations. It returns the others.
func (r *run) believe(targets []Target) (jobs []job, rest []Target) {
	for _, t := range targets {
		states := r.Directory.leadsTo(t.Recorded.Version)
		if t.Recorded.Version == "" || t.Recorded.Error != "" || r.seen[key(t)] != nil || len(states) == 0 || len(r.Directory.known[states[0]].Pending) == 0 {
			rest = append(rest, t)
			continue
		}
		r.seen[key(t)] = &sight{}
		jobs = append(jobs, job{Target: t, state: r.Directory.known[states[0]].copied()})
	}
	return jobs, rest
}

// survey looks at schools, all databases side by side, and returns those that are behind.
func (r *run) survey(ctx context.Context, targets []Target, rec *recorder) (jobs []job) {
	var group sync.WaitGroup
	for _, some := range byPlace(targets, func(t Target) Target { return t }) {
		p := r.at(some[0])
		group.Go(func() {
			states, err := r.look(ctx, p, some, rec.dry)
			if ctx.Err() != nil {
				return
			}
			for _, t := range some {
				state := states[t.Schema]
				if err == nil && !state.Missing && len(state.Pending) > 0 && state.obstacle() == nil {
					r.mu.Lock()
					r.seen[key(t)] = &sight{missing: r.seen[key(t)] != nil && r.seen[key(t)].missing}
					jobs = append(jobs, job{Target: t, state: state})
					r.mu.Unlock()
					continue
				}
				r.judge(t, state, err, rec)
			}
		})
	}
	group.Wait()
	return jobs
}

func (r *run) look(ctx context.Context, p *place, targets []Target, dry bool) (states map[string]State, err error) {
	schemas := make([]string, len(targets))
	for i, t := range targets {
		schemas[i] = t.Schema
	}
	err = p.with(ctx, func(conn *pgx.Conn) error {
		states, err = r.Directory.Survey(ctx, conn, schemas)
		news := func(t Target) bool { return states[t.Schema].Version != t.Recorded.Version }
		if err == nil && !dry && slices.ContainsFunc(targets, news) {
			err = flush(ctx, conn) // what another run has just done
		}
		return err
	})
	return states, err
}

// judge finishes a school that there is nothing to do for, or nothing that can be done.
func (r *run) judge(t Target, state State, err error, rec *recorder) {
	o := Outcome{Target: t, From: state.Version, To: state.Version}
	switch {
	case err == nil && state.Missing:
		r.gone(o, rec)
		return
	case err == nil:
		err = state.obstacle()
	default:
		o.From, o.To = t.Recorded.Version, t.Recorded.Version
	}
	if err != nil {
		o.Failure = explain(err)
	} else if state.Ahead {
		o.Skipped = "ahead of this program"
	}
	r.finish(o, false, rec)
}

// gone is for a school whose schema is not there. Its row may be on the way out too, or have moved: it
// fails if the next look finds both as they were.
func (r *run) gone(o Outcome, rec *recorder) {
	r.mu.Lock()
	before := r.seen[key(o.Target)]
	r.seen[key(o.Target)] = &sight{missing: true}
	r.mu.Unlock()
	if before != nil && before.missing {
		o.Failure = &Failure{Message: "its schema is not there"}
		r.finish(o, false, rec)
	}
}

// finish says how it went with a school.
func (r *run) finish(o Outcome, changed bool, rec *recorder) {
	r.mu.Lock()
	r.seen[key(o.Target)] = &sight{outcome: &o, changed: changed, version: o.To}
	r.mu.Unlock()
	rec.add(recorded{o, changed})
}

// failed counts a school that was begun and failed.
func (r *run) failed() {
	r.mu.Lock()
	r.failures++
	r.mu.Unlock()
}

// wave works at schools: so many workers a database, all databases side by side.
func (r *run) wave(ctx context.Context, jobs []job, rec *recorder) {
	var group sync.WaitGroup
	for _, some := range byPlace(jobs, func(j job) Target { return j.Target }) {
		p := r.at(some[0].Target)
		queue := make(chan job, len(some))
		for _, j := range some {
			queue <- j
		}
		close(queue)
		for range min(max(r.Parallel, 1), len(some)) {
			w := &worker{run: r, place: p, queue: queue, rec: rec}
			group.Go(func() { w.work(ctx) })
		}
	}
	group.Wait()
}

// over reports whether no school is to be begun any more.
func (r *run) over(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.MaxFailures > 0 && r.failures >= r.MaxFailures && r.stopped == "" {
		r.stopped = fmt.Sprintf("stopped after %d failed", r.failures)
	}
	return ctx.Err() != nil || r.stopped != ""
}

package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Rollout brings the schools of a fleet to a directory's last revision: a canary first, then the rest
// side by side. The public schema is the caller's to bring up before.
type Rollout struct {
	Directory   *Directory
	Connect     func(context.Context, Target) (*pgx.Conn, error) // Dial, for one
	Schools     []string                                         // the codes; none for all
	Parallel    int                                              // workers a database
	Canary      Canary
	MaxFailures int // so many failed schools stop the rollout; 0 for no limit

	Planned  func(schools int) // if set: so many more are to be worked at
	Finished func(Outcome)     // if set: one at a time, not for schools that were found current
}

// Canary says which schools go first. All of them must succeed.
type Canary struct {
	Count   int      // at random, of each database in turn
	Schools []string // the codes, instead
}

// Outcome is what a rollout did to one school.
type Outcome struct {
	Target
	From         string   `json:"from"`
	To           string   `json:"to"`
	Milliseconds int64    `json:"ms"`
	Attempts     int      `json:"attempts"`
	Skipped      string   `json:"skipped,omitempty"` // why it was left alone, though nothing is wrong
	Failure      *Failure `json:"error,omitempty"`
}

// Summary is how a rollout ended.
type Summary struct {
	Schools  int
	Migrated int
	Failed   int
	Skipped  int
	Left     int    // not begun
	Stopped  string // why
}

// Current is how many schools are at the last revision.
func (s Summary) Current() int { return s.Schools - s.Failed - s.Skipped - s.Left }

// Dial connects to databases of the fleet, given the URL of primary.
func Dial(primary string) func(context.Context, Target) (*pgx.Conn, error) {
	return func(ctx context.Context, t Target) (*pgx.Conn, error) {
		address, err := t.Address(primary)
		if err != nil {
			return nil, &Failure{Message: err.Error()}
		}
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return postgres.Connect(ctx, address)
	}
}

const dialTimeout = 5 * time.Second

// Run runs the rollout. A school that fails is no error: Finished hears of it and the summary counts
// it. When ctx ends no school is begun any more; those at work are finished or rolled back.
func (r Rollout) Run(ctx context.Context) (Summary, error) {
	run := newRun(r)
	defer run.close()
	err := run.all(ctx)
	return run.summary(), errors.Join(err, ctx.Err())
}

// run is a rollout at work.
type run struct {
	Rollout
	places  map[string]*place
	primary *place
	latest  []Target // of the last look

	mu       sync.Mutex
	seen     map[string]*sight
	failures int // of schools that were begun
	stopped  string
}

func newRun(r Rollout) *run {
	run := &run{Rollout: r, places: map[string]*place{}, seen: map[string]*sight{}}
	run.primary = run.at(Target{Database: postgres.Primary})
	return run
}

// sight is what a run knows of a school.
type sight struct {
	outcome *Outcome // nil while it is left to do
	changed bool
	missing bool   // its schema was not there
	version string // what is recorded of it
}

// job is a school that is behind.
type job struct {
	Target
	state  State
	doubts int    // how often it was done and not flushed
	from   string // where it was before that
}

func key(t Target) string { return t.School + "\n" + t.Schema + "\n" + t.Place() }

// all looks for work and does it until there is none: schools come, go and move meanwhile.
func (r *run) all(ctx context.Context) error {
	for first := true; ; first = false {
		targets, err := r.targets(ctx, first)
		if err != nil {
			return err
		}
		r.latest = targets
		news := slices.DeleteFunc(slices.Clone(targets), r.known)
		if len(news) == 0 {
			return nil
		}
		recorder := r.record(false)
		jobs, rest := r.believe(news)
		jobs = append(jobs, r.survey(ctx, rest, recorder)...)
		if r.Planned != nil {
			r.Planned(len(jobs))
		}
		if first {
			jobs = r.canary(ctx, jobs, recorder)
		}
		r.wave(ctx, jobs, recorder)
		if err := recorder.close(); err != nil || r.stopped != "" || ctx.Err() != nil {
			return err
		}
	}
}

// targets are the schools of the rollout. One that was named must be there, but may go later.
func (r *run) targets(ctx context.Context, first bool) (targets []Target, err error) {
	var named []string
	if first {
		named = r.Schools
	}
	err = r.primary.with(ctx, func(conn *pgx.Conn) error {
		targets, err = Targets(ctx, conn, named)
		return err
	})
	if !first {
		return slices.DeleteFunc(targets, func(t Target) bool { return len(r.Schools) > 0 && !slices.Contains(r.Schools, t.School) }), postgres.Fault(err)
	}
	for _, code := range r.Canary.Schools {
		if err == nil && !slices.ContainsFunc(targets, func(t Target) bool { return t.School == code }) {
			err = fmt.Errorf("the canary %q is none of the schools", code)
		}
	}
	return targets, postgres.Fault(err)
}

// known reports whether a school needs no look: it is done, and nobody has recorded otherwise.
func (r *run) known(t Target) bool {
	s := r.seen[key(t)]
	return s != nil && s.outcome != nil && s.version == t.Recorded.Version
}

// canary has the first schools done and returns the others, none if one of those failed.
func (r *run) canary(ctx context.Context, jobs []job, rec *recorder) []job {
	first, rest := r.choose(jobs)
	if len(first) == 0 && len(r.Canary.Schools) == 0 {
		return rest
	}
	limit := r.MaxFailures
	r.MaxFailures = 1
	r.wave(ctx, first, rec)
	r.MaxFailures = limit
	for _, t := range r.latest {
		s := r.seen[key(t)]
		chosen := slices.Contains(r.Canary.Schools, t.School) || slices.ContainsFunc(first, func(j job) bool { return j.School == t.School })
		if chosen && s != nil && s.outcome != nil && s.outcome.Failure != nil {
			r.stopped = "the canary " + t.School + " failed: no school beyond the canary was touched"
			return nil
		}
	}
	return rest
}

// choose picks the canary. By number it is drawn, for else the same few schools would bear all that is
// new, and from each database in turn, for they differ.
func (r *run) choose(jobs []job) (first, rest []job) {
	for _, j := range jobs {
		if slices.Contains(r.Canary.Schools, j.School) {
			first = append(first, j)
		} else {
			rest = append(rest, j)
		}
	}
	byPlace := map[string][]job{}
	for _, i := range rand.Perm(len(rest)) { //nolint:gosec // nothing is secret in it
		byPlace[rest[i].Place()] = append(byPlace[rest[i].Place()], rest[i])
	}
	for r.Canary.Count > len(first) && len(first) < len(jobs) {
		for place, some := range byPlace {
			if len(some) > 0 && r.Canary.Count > len(first) {
				first, byPlace[place] = append(first, some[0]), some[1:]
			}
		}
	}
	return first, slices.DeleteFunc(rest, func(j job) bool {
		return slices.ContainsFunc(first, func(c job) bool { return key(c.Target) == key(j.Target) })
	})
}

// summary counts the schools of the last look.
func (r *run) summary() Summary {
	s := Summary{Schools: len(r.latest), Stopped: r.stopped}
	for _, t := range r.latest {
		switch seen := r.seen[key(t)]; {
		case seen == nil || seen.outcome == nil:
			s.Left++
		case seen.outcome.Failure != nil:
			s.Failed++
		case seen.outcome.Skipped != "":
			s.Skipped++
		case seen.changed:
			s.Migrated++
		}
	}
	return s
}

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing/fstest"
	"time"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// fleetCommand makes the program measure the fleet's migrations instead of requests.
const fleetCommand = "fleet"

// rollout is a run that measures the fleet's migrations.
type rollout struct {
	settings
	db       *database
	platform *platform.Platform
	tenant   *fleet.Directory
	psql     string
	made     int // schools that were made to be measured
	result   *result
}

// The operations on the whole fleet.
const (
	nothingToDo = "a rollout with nothing to do"
	status      = "status"
	verify      = "status --verify"
	drift       = "drift"
)

// look is an operation on the whole fleet that has no floor.
type look struct {
	Operation string  `json:"operation"`
	Schools   int     `json:"schools"`
	Cost      cost    `json:"cost"`
	Took      float64 `json:"took_us"` // by the clock
}

func runRollout(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	debug.SetGCPercent(400) // as the command does
	s := settings{sizes: []int{10}, durable: true}
	flags := flag.NewFlagSet("bench "+fleetCommand, flag.ContinueOnError)
	flags.SetOutput(stderr)
	many := flags.Int("schools", 1000, "number of schools to measure with")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each is measured; the median counts")
	flags.StringVar(&s.json, "json", "bin/bench-fleet.json", "the file for the results; empty for none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	bin, err := embedded.FindBin(ctx, "", 0)
	if err != nil {
		return err
	}
	db, err := openFleet(ctx, s, stderr)
	if err != nil {
		return err
	}
	defer db.close()
	r := &rollout{settings: s, db: db, psql: filepath.Join(bin.Dir, "psql"), result: &result{Date: time.Now().UTC(), Go: runtime.Version(), PostgreSQL: db.version, Rounds: s.rounds}}
	pools, err := postgres.NewPools(db.url, workers)
	if err != nil {
		return err
	}
	defer pools.Close()
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	defer func() { _ = registry.Close() }()
	if r.tenant, err = fleet.Load(atlas.Tenant()); err != nil {
		return err
	}
	r.platform = platform.New(registry, r.tenant, platform.Settings{BaseDomain: "made.test", TenantRoles: true}, time.Now)
	for _, n := range []int{10, *many} {
		if err := db.fill(ctx, n, stderr); err != nil {
			return err
		}
		if err := r.creation(ctx, n); err != nil {
			return err
		}
	}
	for _, measure := range []func(context.Context) error{r.alteration, r.nothing, r.look} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	r.judge()
	r.result.table(stdout)
	if r.json == "" {
		return nil
	}
	return r.result.write(r.json)
}

// judge holds the results against the limits.
func (r *rollout) judge() {
	few, many := r.result.Lines[0], r.result.Lines[1]
	add := func(what string, value, most float64) {
		r.result.Limits = append(r.result.Limits, limit{What: what, Value: value, Most: most, Over: value > most})
	}
	add("making a school: CPU, times psql's", max(few.Ratio, many.Ratio), 1.2)
	add(fmt.Sprintf("making a school: CPU with %d schools, times that with %d", many.Schools, few.Schools), many.Product.Both/few.Product.Both, 1.2)
	add("one ALTER a school: CPU, times that of bare connections", r.result.Lines[2].Ratio, 2)
	for _, l := range r.result.Looks {
		switch l.Operation {
		case nothingToDo:
			add(l.Operation+": s of our CPU", l.Cost.Server/1e6, 0.5)
		case status:
			add(l.Operation+": ms", l.Took/1e3, 20)
		case verify:
			add(l.Operation+": s", l.Took/1e6, 1)
		case drift:
			add(l.Operation+": s", l.Took/1e6, 15)
		}
	}
}

// directory is the school's migrations with so many columns more, each in a file of its own.
func directory(columns int) (*fleet.Directory, error) {
	memory, files := &migrate.MemDir{}, fstest.MapFS{}
	add := func(name string, content []byte) error {
		files[name] = &fstest.MapFile{Data: content}
		return memory.WriteFile(name, content)
	}
	err := fs.WalkDir(atlas.Tenant(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == migrate.HashFileName {
			return err
		}
		content, err := fs.ReadFile(atlas.Tenant(), path)
		if err != nil {
			return err
		}
		return add(path, content)
	})
	for n := range columns {
		if err == nil {
			err = add(fmt.Sprintf("9%013d_more.sql", n), fmt.Appendf(nil, "ALTER TABLE \"students\" ADD COLUMN \"more_%d\" bigint NULL;\n", n))
		}
	}
	if err != nil {
		return nil, err
	}
	sums, err := memory.Checksum()
	if err != nil {
		return nil, err
	}
	text, err := sums.MarshalText()
	if err != nil {
		return nil, err
	}
	files[migrate.HashFileName] = &fstest.MapFile{Data: text}
	return fleet.Load(files)
}

// alteration measures one ALTER in every school, against connections that send nothing but that.
func (r *rollout) alteration(ctx context.Context) error {
	targets, err := fleet.Targets(ctx, r.db.conn, nil)
	if err != nil {
		return err
	}
	var floors, products []cost
	for round := range r.rounds + 1 {
		floor, err := r.costs(len(targets), func() (time.Duration, error) { return 0, r.raw(ctx, targets, round) })
		if err != nil {
			return err
		}
		directory, err := directory(round + 1)
		if err != nil {
			return err
		}
		product, err := r.costs(len(targets), func() (time.Duration, error) { return 0, r.roll(ctx, directory, len(targets)) })
		if err != nil {
			return err
		}
		floors, products = append(floors, floor), append(products, product)
	}
	r.compared("one ALTER a school", len(targets), floors[1:], products[1:])
	return nil
}

func (r *rollout) raw(ctx context.Context, targets []fleet.Target, round int) error {
	work, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range workers {
		work.Go(func() error {
			conn, err := pgx.Connect(ctx, r.db.url)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(targets) {
					return nil
				}
				sql := fmt.Sprintf("BEGIN; SET LOCAL search_path = %s; ALTER TABLE \"students\" ADD COLUMN \"raw_%d\" bigint NULL; COMMIT", postgres.Ident(targets[i].Schema), round)
				if err := conn.PgConn().Exec(ctx, sql).Close(); err != nil {
					return err
				}
			}
		})
	}
	return work.Wait()
}

// roll rolls a directory out, which so many schools have to gain by.
func (r *rollout) roll(ctx context.Context, directory *fleet.Directory, schools int) error {
	summary, err := fleet.Rollout{Directory: directory, Connect: fleet.Dial(r.db.url), Parallel: workers}.Run(ctx)
	if err == nil && summary.Migrated != schools {
		err = fmt.Errorf("%d schools were migrated, not %d: %+v", summary.Migrated, schools, summary)
	}
	return err
}

// creation measures making a school with so many there, against psql that makes the same tables and role.
func (r *rollout) creation(ctx context.Context, schools int) error {
	const each = 5
	var floors, products []cost
	for range r.rounds + 1 {
		floor, err := r.costs(each, func() (time.Duration, error) {
			return repeat(each, func() (time.Duration, error) { return r.script(ctx) })
		})
		if err != nil {
			return err
		}
		product, err := r.costs(each, func() (time.Duration, error) {
			return repeat(each, func() (time.Duration, error) {
				r.made++
				code := fmt.Sprintf("made-%d", r.made)
				_, err := r.platform.Create(ctx, platform.Shell, platform.NewSchool{Name: code, Code: code})
				return 0, err
			})
		})
		if err != nil {
			return err
		}
		floors, products = append(floors, floor), append(products, product)
	}
	r.compared("create a school", schools, floors[1:], products[1:])
	return nil
}

// script makes a school's schema and role with psql, in one transaction, and returns the CPU of psql.
func (r *rollout) script(ctx context.Context) (time.Duration, error) {
	r.made++
	schema := fmt.Sprintf("floor_%d", r.made)
	path := filepath.Join(os.TempDir(), schema+".sql")
	if err := os.WriteFile(path, []byte(r.tenant.CreateScript(schema)+fleet.CreateRoleScript(schema, "floor_"+schema)), 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(path)
	cmd := exec.CommandContext(ctx, r.psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", path, r.db.url) //nolint:gosec // the program beside the server that was started
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("psql: %w: %s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// costs runs do, which does something so many times, and returns what one costs: ours, or that of the
// programs that do ran, and PostgreSQL's.
func (r *rollout) costs(times int, do func() (time.Duration, error)) (c cost, err error) {
	postgres, err := cpuOfServer(r.db.postmaster)
	if err != nil {
		return c, err
	}
	own := cpuOf(os.Getpid())
	others, err := do()
	if err != nil {
		return c, err
	}
	own = cpuOf(os.Getpid()) - own
	after, err := cpuOfServer(r.db.postmaster)
	if err != nil {
		return c, err
	}
	if others == 0 {
		others = own
	}
	n := float64(times)
	c = cost{Server: micros(others) / n, Postgres: micros(after-postgres) / n}
	c.Both = c.Server + c.Postgres
	return c, nil
}

func repeat(times int, do func() (time.Duration, error)) (sum time.Duration, err error) {
	for range times {
		took, err := do()
		if err != nil {
			return sum, err
		}
		sum += took
	}
	return sum, nil
}

// nothing measures a rollout that finds nothing to do.
func (r *rollout) nothing(ctx context.Context) error {
	return r.alone(ctx, nothingToDo, func(targets []fleet.Target) error {
		directory, err := directory(r.rounds + 1)
		if err != nil {
			return err
		}
		return r.roll(ctx, directory, 0)
	})
}

// look measures how the fleet is looked at: by what is recorded of it, by the schools' own revisions, and
// by their catalogs.
func (r *rollout) look(ctx context.Context) error {
	directory, err := directory(r.rounds + 1)
	if err != nil {
		return err
	}
	if err := r.alone(ctx, status, func([]fleet.Target) error {
		_, err := fleet.Targets(ctx, r.db.conn, nil)
		return err
	}); err != nil {
		return err
	}
	if err := r.alone(ctx, verify, func(targets []fleet.Target) error {
		_, err := directory.Verify(ctx, r.db.conn, targets)
		return err
	}); err != nil {
		return err
	}
	return r.alone(ctx, drift, func(targets []fleet.Target) error {
		_, err := directory.Drift(ctx, r.db.conn, targets, 2)
		return err
	})
}

// alone measures what has no floor: CPU, and the time that passes.
func (r *rollout) alone(ctx context.Context, operation string, do func([]fleet.Target) error) error {
	targets, err := fleet.Targets(ctx, r.db.conn, nil)
	if err != nil {
		return err
	}
	var costs []cost
	var took []float64
	for range r.rounds {
		c, err := r.costs(1, func() (time.Duration, error) {
			start := time.Now()
			err := do(targets)
			took = append(took, float64(time.Since(start).Microseconds()))
			return 0, err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", operation, err)
		}
		costs = append(costs, c)
	}
	r.result.Looks = append(r.result.Looks, look{operation, len(targets), typical(costs), median(took)})
	return nil
}

func (r *rollout) compared(operation string, schools int, floor, product []cost) {
	ratios := make([]float64, len(floor))
	for i := range ratios {
		ratios[i] = product[i].Both / floor[i].Both
	}
	r.result.Lines = append(r.result.Lines, line{"fleet", operation, schools, typical(floor), typical(product), median(ratios)})
}

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/homeroom-sms/homeroom/atlas"
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

func runRollout(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s := settings{sizes: []int{10}}
	flags := flag.NewFlagSet("bench "+fleetCommand, flag.ContinueOnError)
	flags.SetOutput(stderr)
	many := flags.Int("schools", 1000, "number of schools to measure with")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each is measured; the median counts")
	flags.StringVar(&s.json, "json", "bin/bench-fleet.json", "the file for the results; empty for none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := openFleet(ctx, s, stderr)
	if err != nil {
		return err
	}
	defer db.close()
	r := &rollout{settings: s, db: db, result: &result{Date: time.Now().UTC(), Go: runtime.Version(), PostgreSQL: db.version, Rounds: s.rounds}}
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
	r.result.print(stdout)
	return nil
}

// creation measures making a school with so many there, against psql that makes the same tables and role.
func (r *rollout) creation(ctx context.Context, schools int) error {
	const each = 5
	var floors, products []cost
	for range r.rounds + 1 {
		floor, err := r.costs(each, func() (time.Duration, error) { return r.script(ctx) })
		if err != nil {
			return err
		}
		product, err := r.costs(each, func() (time.Duration, error) {
			r.made++
			code := fmt.Sprintf("made-%d", r.made)
			_, err := r.platform.Create(ctx, platform.Shell, platform.NewSchool{Name: code, Code: code})
			return 0, err
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
	cmd := exec.CommandContext(ctx, "/usr/lib/postgresql/15/bin/psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", path, r.db.url)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("psql: %w: %s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// costs runs do a number of times and returns what one costs: ours, or that of the programs that do
// ran, and PostgreSQL's.
func (r *rollout) costs(times int, do func() (time.Duration, error)) (c cost, err error) {
	own := cpuOf(os.Getpid())
	postgres, err := cpuOfServer(r.db.postmaster)
	if err != nil {
		return c, err
	}
	var others time.Duration
	for range times {
		other, err := do()
		if err != nil {
			return c, err
		}
		others += other
	}
	after, err := cpuOfServer(r.db.postmaster)
	if err != nil {
		return c, err
	}
	if others == 0 {
		others = cpuOf(os.Getpid()) - own
	}
	n := float64(times)
	c = cost{Server: micros(others) / n, Postgres: micros(after-postgres) / n}
	c.Both = c.Server + c.Postgres
	return c, nil
}

func (r *rollout) compared(operation string, schools int, floor, product []cost) {
	ratios := make([]float64, len(floor))
	for i := range ratios {
		ratios[i] = product[i].Both / floor[i].Both
	}
	r.result.Lines = append(r.result.Lines, line{"fleet", operation, schools, typical(floor), typical(product), median(ratios)})
}

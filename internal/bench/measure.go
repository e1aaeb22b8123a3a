package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// What is measured, at driver level and as whole requests.
const (
	read        = "point read"
	list        = "list of 20"
	insert      = "insert"
	transaction = "transaction of 3"
	getSchool   = "GET a school" // system API, with an API key
	resolve     = "resolve a host"
)

var measured = []struct {
	level      string
	operations []string
}{
	{"driver", []string{read, list, insert, transaction}},
	{"HTTP", []string{read, list, getSchool}},
}

// cost is what one operation costs.
type cost struct {
	Server      float64 `json:"server_us"`   // CPU of our process
	Postgres    float64 `json:"postgres_us"` // CPU of all processes of PostgreSQL
	Both        float64 `json:"both_us"`
	Trips       float64 `json:"round_trips"`
	Allocations float64 `json:"allocations"`
}

// bench is a run under way.
type bench struct {
	settings
	db       *database
	children map[string]*child
	result   *result
	largest  int64 // private bytes of the product's largest server process with so many schools
}

// measureAll measures everything, with few schools first: memory is to be seen growing.
func measureAll(ctx context.Context, s settings, db *database, progress io.Writer) (r *result, err error) {
	b := &bench{settings: s, db: db, children: map[string]*child{}, result: &result{
		Date: time.Now().UTC(), Go: runtime.Version(), PostgreSQL: db.version, Seconds: s.round.Seconds(), Rounds: s.rounds,
	}}
	defer func() {
		for _, c := range b.children {
			err = errors.Join(err, c.stop())
		}
	}()
	for _, kind := range []string{"floor-driver", "product-driver", "floor-server", "product-server"} {
		if err := b.start(ctx, kind, ""); err != nil {
			return nil, err
		}
	}
	for _, of := range []string{"floor", "product"} {
		if err := b.start(ctx, of+"-load", b.children[of+"-server"].url); err != nil {
			return nil, err
		}
	}
	for _, size := range s.sizes {
		_, _ = fmt.Fprintf(progress, "measuring %d schools ...\n", size)
		if err := b.size(ctx, size); err != nil {
			return nil, err
		}
	}
	b.result.Limits = b.result.judge()
	return b.result, nil
}

func (b *bench) start(ctx context.Context, kind, target string) error {
	c, err := startChild(ctx, kind, b.profile, b.db, target)
	if c != nil {
		b.children[kind] = c
	}
	return err
}

// size measures with the first n schools.
func (b *bench) size(ctx context.Context, n int) error {
	b.largest = 0
	for _, m := range measured {
		for _, operation := range m.operations {
			if !b.only.MatchString(m.level + " " + operation) {
				continue
			}
			if err := b.compare(ctx, m.level, order{operation, n, b.round}); err != nil {
				return err
			}
		}
	}
	return b.remember(ctx, n)
}

// remember notes how large the product has become with n schools, and what it costs to find one.
func (b *bench) remember(ctx context.Context, n int) (err error) {
	memory := memory{Schools: n}
	if b.only.MatchString("driver " + resolve) {
		rounds, err := b.rounded(ctx, "driver", order{resolve, n, b.round}, "product")
		if err != nil {
			return err
		}
		batch := typical(rounds[0])
		memory.Resolve, memory.ResolveAllocations = 1000*batch.Both/resolveBatch, batch.Allocations/resolveBatch
	}
	memory.Backend = b.largest
	if memory.Server, err = residentOf(b.children["product-server"].cmd.Process.Pid); err != nil {
		return err
	}
	if memory.Floor, err = residentOf(b.children["floor-server"].cmd.Process.Pid); err != nil {
		return err
	}
	b.result.Memory = append(b.result.Memory, memory)
	return nil
}

// compare measures an operation on both sides. The ratio is the median of those of the rounds: what else
// the machine does meanwhile weighs on both sides of a round alike.
func (b *bench) compare(ctx context.Context, level string, o order) error {
	rounds, err := b.rounded(ctx, level, o, "floor", "product")
	if err != nil {
		return fmt.Errorf("%s, %s, %d schools: %w", level, o.Operation, o.Schools, err)
	}
	ratios := make([]float64, b.rounds)
	for i := range ratios {
		ratios[i] = rounds[1][i].Both / rounds[0][i].Both
	}
	b.result.Lines = append(b.result.Lines, line{level, o.Operation, o.Schools, typical(rounds[0]), typical(rounds[1]), median(ratios)})
	return nil
}

// rounded measures in several rounds, in which the sides take turns.
func (b *bench) rounded(ctx context.Context, level string, o order, sides ...string) ([][]cost, error) {
	rounds := make([][]cost, len(sides))
	for round := range b.rounds + 1 {
		for i, of := range sides {
			if round == 0 { // connections learn the schools' tables, also those that are seldom needed
				o := o
				o.For = max(o.For, min(time.Duration(o.Schools)*20*time.Millisecond, 6*time.Second))
				if _, err := b.worker(level, of).do(o); err != nil {
					return nil, err
				}
				continue
			}
			c, err := b.measure(level, of, o)
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], c)
			if err := b.weigh(ctx); err != nil {
				return nil, err
			}
		}
	}
	return rounds, nil
}

// typical is the median of each part of a cost.
func typical(costs []cost) cost {
	of := func(part func(cost) float64) float64 {
		values := make([]float64, len(costs))
		for i, c := range costs {
			values[i] = part(c)
		}
		return median(values)
	}
	return cost{
		of(func(c cost) float64 { return c.Server }), of(func(c cost) float64 { return c.Postgres }),
		of(func(c cost) float64 { return c.Both }), of(func(c cost) float64 { return c.Trips }),
		of(func(c cost) float64 { return c.Allocations }),
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// worker is who starts the operations of one side.
func (b *bench) worker(level, of string) *child {
	if level == "driver" {
		return b.children[of+"-driver"]
	}
	return b.children[of+"-load"]
}

// measure runs an order and shares out what it has cost.
func (b *bench) measure(level, of string, o order) (c cost, err error) {
	server := b.children[of+"-driver"]
	if level != "driver" {
		server = b.children[of+"-server"]
	}
	pid := server.cmd.Process.Pid
	before, err := server.do(order{})
	if err != nil {
		return c, err
	}
	postgres, err := cpuOfServer(b.db.postmaster)
	if err != nil {
		return c, err
	}
	own := cpuOf(pid)
	done, err := b.worker(level, of).do(o)
	if err != nil {
		return c, err
	}
	own = cpuOf(pid) - own
	postgresAfter, err := cpuOfServer(b.db.postmaster)
	if err != nil {
		return c, err
	}
	after, err := server.do(order{})
	if err != nil {
		return c, err
	}
	n := float64(done.Operations)
	c = cost{Server: micros(own) / n, Postgres: micros(postgresAfter-postgres) / n, Trips: float64(after.Trips-before.Trips) / n}
	c.Both, c.Allocations = c.Server+c.Postgres, float64(after.Mallocs-before.Mallocs)/n
	return c, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// weigh looks for the largest of the product's server processes, after each round: they come and go.
func (b *bench) weigh(ctx context.Context) error {
	rows, err := b.db.conn.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'product-%'")
	if err != nil {
		return err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	for _, pid := range pids {
		if private, err := privateOf(pid); err == nil { // else it has just ended
			b.largest = max(b.largest, private)
		}
	}
	return err
}

// Command bench measures what the product costs above the floor: what the same work costs in Go and
// PostgreSQL when nobody cares for schools, safety or a contract. Both are measured in one run, by
// turns, because only their ratio says something on another machine.
//
// The floor is raw pgx with schema-qualified SQL; for whole requests net/http in front of that, without
// authentication. The product is ent over entpgx, and the handler that the service runs. Each is a
// process of its own, as is whoever sends the requests, so that /proc can tell what each one costs, and
// only one is at work at a time. Time that passes is not measured: CPU, round trips and allocations are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what a person may choose.
type settings struct {
	sizes   []int         // numbers of schools, ascending
	round   time.Duration // of one measurement
	rounds  int
	json    string
	dir     string // of the database; "" for one that is made and removed
	durable bool   // the database flushes what it commits
	only    *regexp.Regexp
	profile string // a folder for the profiles of all processes; "" for none
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sizes := flags.String("schools", "1,100,1000", "numbers of schools to measure with")
	seconds := flags.Float64("seconds", 0.5, "how long one measurement takes")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each is measured; the median counts")
	flags.StringVar(&s.json, "json", "bin/bench.json", "the file for the results; empty for none")
	flags.StringVar(&s.dir, "dir", "", "a folder that keeps the database for the next run; remove it when the migrations have changed")
	only := flags.String("only", "", "a regular expression for what to measure, such as \"HTTP point\"; the rest is left out")
	flags.StringVar(&s.profile, "profile", "", "a folder for CPU and allocation profiles of each process")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return s, fmt.Errorf("-schools takes numbers from 1 to 10000, not %q", text)
		}
		s.sizes = append(s.sizes, n)
	}
	slices.Sort(s.sizes)
	if s.only, err = regexp.Compile(*only); err != nil {
		return s, fmt.Errorf("-only: %w", err)
	}
	if s.round = time.Duration(*seconds * float64(time.Second)); s.round <= 0 || s.rounds < 1 {
		return s, errors.New("-seconds and -rounds take more than 0")
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 4 && args[0] == childCommand {
		return runChild(ctx, args[1], args[2], args[3])
	}
	if len(args) > 0 && args[0] == fleetCommand {
		return runRollout(ctx, args[1:], stdout, stderr)
	}
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if s.profile != "" {
		if err := os.MkdirAll(s.profile, 0o750); err != nil {
			return err
		}
	}
	db, err := openFleet(ctx, s, stderr)
	if err != nil {
		return err
	}
	defer func() { db.close() }()
	r, err := measureAll(ctx, s, db, stderr)
	if err != nil {
		return err
	}
	r.table(stdout)
	if s.json == "" {
		return nil
	}
	return r.write(s.json)
}

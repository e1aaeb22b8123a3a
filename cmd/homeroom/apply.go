package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/jobs"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

type migrateApply struct {
	selection
	Canary      string `help:"Migrate so many schools, or these, first; go on only if all of them succeed (default: 0, no canary)." placeholder:"N|CODE,..."`
	Parallel    int    `default:"4" help:"Schools of one database to migrate at once; the databases go side by side." placeholder:"P"`
	MaxFailures int    `help:"Begin no further school once so many have failed (default: no limit)." placeholder:"N"`
	DryRun      bool   `help:"Print the SQL that would be sent, and touch nothing."`
}

func (m migrateApply) Run(c *console, database *config.Database) error {
	if m.Parallel < 1 || m.MaxFailures < 0 {
		return usage("--parallel takes a number from 1 on, --max-failures one from 0 on")
	}
	if n, err := strconv.Atoi(m.Canary); err == nil && n < 0 {
		return usage("--canary takes a number from 0 on, or the codes of schools")
	}
	if err := m.check(); err != nil {
		return err
	}
	collectSeldom()
	return onFleet(c, database, func(conn *pgx.Conn, dirs directories) error {
		if m.DryRun {
			return m.plan(c, conn, dirs)
		}
		if err := m.public(c, conn, dirs.public); err != nil || m.Only == "public" {
			return err
		}
		return m.schools(c, m.rollout(conn, dirs.tenant))
	})
}

func (m migrateApply) wantsPublic() bool { return m.Only != "tenant" && len(m.School) == 0 }

// public brings the public schema up, or makes sure that it is: what is known of the schools is there.
func (m migrateApply) public(c *console, conn *pgx.Conn, dir *fleet.Directory) error {
	if !m.wantsPublic() {
		return checkPublic(c.ctx, conn, dir, false)
	}
	start := time.Now()
	before, err := dir.Status(c.ctx, conn, publicSchema)
	if err != nil {
		return err
	}
	after, err := dir.Apply(c.ctx, conn, publicSchema)
	if err != nil {
		return fmt.Errorf("%w\nNo school was touched", err)
	}
	if err := jobs.Migrate(c.ctx, conn); err != nil {
		return fmt.Errorf("%w\nNo school was touched", err)
	}
	switch {
	case m.Output == "json" && after.Version != before.Version:
		return json.NewEncoder(c.stdout).Encode(fleet.Outcome{
			Target: fleet.Target{Database: postgres.Primary, Schema: publicSchema}, From: before.Version, To: after.Version,
			Milliseconds: time.Since(start).Milliseconds(), Attempts: 1,
		})
	case m.Output == "json":
	case after.Version == before.Version:
		_, _ = fmt.Fprintf(c.stdout, "the public schema is at %s\n", after.Version)
	default:
		_, _ = fmt.Fprintf(c.stdout, "the public schema went from %q to %s\n", before.Version, after.Version)
	}
	return nil
}

func (m migrateApply) rollout(conn *pgx.Conn, dir *fleet.Directory) fleet.Rollout {
	r := fleet.Rollout{
		Directory: dir, Connect: fleet.Dial(conn.Config().ConnString()),
		Schools: m.School, Parallel: m.Parallel, MaxFailures: m.MaxFailures,
	}
	if n, err := strconv.Atoi(m.Canary); err == nil {
		r.Canary.Count = n
	} else if m.Canary != "" {
		r.Canary.Schools = strings.Split(strings.TrimRight(m.Canary, ","), ",")
	}
	return r
}

// schools runs the rollout: the report goes to stdout, how far it is to stderr.
func (m migrateApply) schools(c *console, r fleet.Rollout) error {
	var trouble []fleet.Outcome
	progress := newRollProgress(c)
	r.Planned = progress.planned
	r.Finished = func(o fleet.Outcome) {
		if o.Failure != nil || o.Skipped != "" {
			trouble = append(trouble, o)
		}
		if m.Output == "json" {
			_ = json.NewEncoder(c.stdout).Encode(o)
		}
		progress.finished(o)
	}
	summary, err := r.Run(c.ctx)
	progress.end()
	if len(trouble) > 0 && m.Output != "json" {
		err = errors.Join(listTrouble(c, trouble), err)
	}
	says := describeRollout(summary, r.Directory.Version())
	if err == nil && summary.Failed == 0 && summary.Left == 0 {
		if m.Output == "json" {
			_, _ = fmt.Fprintln(c.stderr, says)
		} else {
			_, _ = fmt.Fprintln(c.stdout, says)
		}
		return nil
	}
	if err == nil {
		return errors.New(says)
	}
	if summary.Schools > 0 {
		_, _ = fmt.Fprintln(c.stderr, says)
	}
	return err
}

func listTrouble(c *console, trouble []fleet.Outcome) error {
	return list(c.stdout, "table", trouble, []string{"school", "database", "revision", "why"}, func(o fleet.Outcome) []string {
		why := o.Skipped
		if o.Failure != nil {
			why = "failed: " + o.Failure.Error()
		}
		return []string{o.School, o.Database, o.To, strings.ReplaceAll(why, "\n", " ")}
	})
}

// describeRollout is the summary, a sentence.
func describeRollout(s fleet.Summary, version string) string {
	if s.Migrated+s.Failed+s.Skipped+s.Left == 0 {
		return fmt.Sprintf("nothing to do: all of %s are at %s", count(s.Schools, "school"), version)
	}
	says := fmt.Sprintf("%d of %s are at %s", s.Current(), count(s.Schools, "school"), version)
	for _, other := range []struct {
		n    int
		what string
	}{{s.Failed, "failed"}, {s.Skipped, "skipped"}, {s.Left, "left to do"}} {
		if other.n > 0 {
			says += fmt.Sprintf(", %d %s", other.n, other.what)
		}
	}
	if s.Stopped != "" {
		says += "; " + s.Stopped
	}
	if s.Failed+s.Left > 0 {
		says += "; running again goes on with those"
	}
	return says
}

// plan prints what apply would send.
func (m migrateApply) plan(c *console, conn *pgx.Conn, dirs directories) error {
	var plans []fleet.Plan
	if m.wantsPublic() {
		state, err := dirs.public.Status(c.ctx, conn, publicSchema)
		if err != nil {
			return err
		}
		if len(state.Pending) > 0 {
			plans = append(plans, fleet.Plan{From: state.Version, Schema: publicSchema, Pending: state.Pending, SQL: dirs.public.Script(publicSchema, state)})
		}
	}
	var failed int
	if m.Only != "public" {
		r := m.rollout(conn, dirs.tenant)
		r.Finished = func(o fleet.Outcome) {
			if o.Failure != nil {
				_, _ = fmt.Fprintf(c.stderr, "%s would fail: %s\n", o.School, o.Failure)
			}
		}
		schools, summary, err := r.Plan(c.ctx)
		if err != nil {
			return err
		}
		plans, failed = append(plans, schools...), summary.Failed
	}
	if err := m.printPlans(c, plans); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%s would fail", count(failed, "school"))
	}
	return nil
}

func (m migrateApply) printPlans(c *console, plans []fleet.Plan) error {
	if m.Output == "json" {
		return list(c.stdout, "json", plans, nil, nil)
	}
	for _, p := range plans {
		what := "the public schema"
		if p.Schools > 0 {
			what = fmt.Sprintf("%s such as %s", count(p.Schools, "school"), p.Schema)
		}
		_, _ = fmt.Fprintf(c.stdout, "-- %s, from %q: %s\n%s\n", what, p.From, count(len(p.Pending), "file"), p.SQL)
	}
	if len(plans) == 0 {
		_, _ = fmt.Fprintln(c.stdout, "nothing to do")
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fleet"
)

type migrateStatus struct {
	selection
	All    bool `help:"List every school, not only those that are not current."`
	Verify bool `help:"Look at every school's own revisions, and correct what public.clients says of them."`
}

// standing is where a schema stands.
type standing struct {
	School     string     `json:"school"` // "" for the public schema
	Database   string     `json:"database"`
	Schema     string     `json:"schema"`
	Version    string     `json:"version"`
	Pending    []string   `json:"pending"`
	State      string     `json:"state"`
	MigratedAt *time.Time `json:"migrated_at"`
	MS         int64      `json:"ms"`
	Error      string     `json:"error"`
}

// The states that only a look at the schema itself finds, beside those of fleet.
const (
	edited  = "edited"
	missing = "missing"
	unknown = "unknown"
)

// Run reads what public.clients says of the schools; the public schema speaks for itself.
func (m migrateStatus) Run(c *console, database *config.Database) error {
	if err := m.check(); err != nil {
		return err
	}
	return onFleet(c, database, func(conn *pgx.Conn, dirs directories) error {
		if m.Verify { // which writes to public.clients
			if err := checkPublic(c.ctx, conn, dirs.public, false); err != nil {
				return err
			}
		}
		targets, err := m.targets(c.ctx, conn, dirs)
		if err != nil {
			return err
		}
		var rows []standing
		if len(targets) > 0 && targets[0].School == "" {
			public, err := publicStanding(c.ctx, conn, targets[0])
			if err != nil {
				return err
			}
			rows, targets = append(rows, public), targets[1:]
		}
		if m.Verify {
			verified, err := verify(c, conn, targets)
			return errors.Join(err, m.report(c, append(rows, verified...)))
		}
		for _, t := range targets {
			rows = append(rows, recorded(t))
		}
		return m.report(c, rows)
	})
}

func publicStanding(ctx context.Context, conn *pgx.Conn, public target) (standing, error) {
	state, err := public.dir.Status(ctx, conn, publicSchema)
	if err != nil {
		return standing{}, err
	}
	public.Recorded.At, public.Recorded.Took, err = fleet.LastChange(ctx, conn, publicSchema)
	public.Recorded.Version = state.Version
	return looked(public, state), err
}

// recorded is where a school stands by what public.clients says.
func recorded(t target) standing {
	r := t.Recorded
	state, pending := t.dir.Standing(r.Version, r.Error)
	return standing{t.School, t.Database, t.Schema, r.Version, append([]string{}, pending...), state, r.At, r.Took.Milliseconds(), r.Error}
}

// looked is where a schema stands by its own revisions.
func looked(t target, state fleet.State) standing {
	s := recorded(t)
	s.Pending = append([]string{}, state.Pending...)
	switch {
	case state.Missing:
		s.State, s.Error = missing, "there is no such schema"
	case len(state.Edited) > 0:
		s.State, s.Error = edited, describe(state)
	case s.State == fleet.Current && len(s.Pending) > 0:
		s.State = fleet.Behind
	}
	return s
}

func describe(s fleet.State) string {
	switch {
	case len(s.Edited) > 0:
		return "edited after it was applied: " + strings.Join(s.Edited, ", ")
	case s.Ahead:
		return "ahead of this program"
	case len(s.Pending) > 0:
		return "behind"
	}
	return "current"
}

// verify looks at the schools' own revisions, has what is recorded of them corrected, and says what
// was. Its error is that some could not be looked at, or corrected.
func verify(c *console, primary *pgx.Conn, targets []target) (rows []standing, err error) {
	blind := 0
	var uncorrected error
	err = onEachPlace(c.ctx, primary, targets, func(conn *pgx.Conn, group []target, err error) error {
		var found []fleet.Finding
		if err == nil {
			found, err = group[0].dir.Verify(c.ctx, conn, schools(group))
		}
		if err != nil {
			for _, t := range group {
				row := recorded(t)
				row.State, row.Error = unknown, err.Error()
				rows = append(rows, row)
			}
			blind += len(group)
			return c.ctx.Err()
		}
		done := "corrected"
		if err := fleet.Correct(c.ctx, primary, found); err != nil {
			done, uncorrected = "not corrected", fmt.Errorf("public.clients could not be corrected: %w", err)
		}
		for _, f := range found {
			if f.State.Missing {
				blind++
			}
			if f.Wrong() {
				_, _ = fmt.Fprintf(c.stderr, "%s: %s: public.clients said %s, its own revisions say %s\n", f.School, done, said(f.Was), said(f.Recorded))
			}
			rows = append(rows, looked(target{f.Target, group[0].dir}, f.State))
		}
		return c.ctx.Err()
	})
	if err == nil && blind > 0 {
		err = fmt.Errorf("%d of %d schools could not be looked at", blind, len(targets))
	}
	return rows, errors.Join(err, uncorrected)
}

func schools(group []target) []fleet.Target {
	all := make([]fleet.Target, len(group))
	for i, t := range group {
		all[i] = t.Target
	}
	return all
}

func said(r fleet.Recorded) string {
	if r.Error != "" {
		return r.Version + " (failed)"
	}
	return r.Version
}

// report prints every row for a program. For people it counts the schools by revision and state, and
// lists those that are not current.
func (m migrateStatus) report(c *console, rows []standing) error {
	columns := []string{"school", "database", "schema", "version", "pending", "state", "when", "error"}
	cells := func(s standing) []string {
		return []string{s.School, s.Database, s.Schema, s.Version, fmt.Sprint(len(s.Pending)), s.State, moment(s.MigratedAt), s.Error}
	}
	if m.Output == "json" {
		return list(c.stdout, m.Output, rows, columns, cells)
	}
	err := list(c.stdout, m.Output, levels(rows), []string{"schema", "version", "state", "schools", "first", "last", "median", "longest"}, (*level).cells)
	rows = slices.DeleteFunc(rows, func(s standing) bool { return s.School == "" || !m.All && s.State == fleet.Current })
	if err != nil || len(rows) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(c.stdout)
	return list(c.stdout, m.Output, rows, columns, cells)
}

// moment is a time as tables show it.
func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateTime + "Z")
}

// level is the schemas that have the same revision and state.
type level struct {
	of          string // public or schools
	version     string
	state       string
	count       int
	first, last *time.Time
	took        []int64 // of those that a migration has changed
}

// levels are in the order of revisions, the newest first, public before all.
func levels(rows []standing) (all []*level) {
	for _, s := range rows {
		of := "schools"
		if s.School == "" {
			of = publicSchema
		}
		at := slices.IndexFunc(all, func(l *level) bool { return l.of == of && l.version == s.Version && l.state == s.State })
		if at < 0 {
			at, all = len(all), append(all, &level{of: of, version: s.Version, state: s.State})
		}
		all[at].add(s)
	}
	slices.SortStableFunc(all, func(a, b *level) int {
		return cmp.Or(strings.Compare(a.of, b.of), strings.Compare(b.version, a.version), strings.Compare(a.state, b.state))
	})
	return all
}

func (l *level) add(s standing) {
	l.count++
	if s.MigratedAt == nil {
		return
	}
	l.took = append(l.took, s.MS)
	if l.first == nil || s.MigratedAt.Before(*l.first) {
		l.first = s.MigratedAt
	}
	if l.last == nil || s.MigratedAt.After(*l.last) {
		l.last = s.MigratedAt
	}
}

func (l *level) cells() []string {
	median, longest := "", ""
	if n := len(l.took); n > 0 {
		slices.Sort(l.took)
		median, longest = fmt.Sprintf("%d ms", l.took[n/2]), fmt.Sprintf("%d ms", l.took[n-1])
	}
	return []string{l.of, l.version, l.state, fmt.Sprint(l.count), moment(l.first), moment(l.last), median, longest}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

type migrateDrift struct {
	School   []string `help:"Only these schools." placeholder:"CODE"`
	Output   string   `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
	Parallel int      `default:"2" help:"Connections to look over, in each database." placeholder:"N"`
	Fix      bool     `help:"Mend the one school that is named, once its code is typed."`
	Yes      bool     `help:"With --fix: don't ask."`
}

func (m migrateDrift) Run(c *console, database *config.Database) error {
	if m.Fix && len(m.School) != 1 {
		return usage("--fix takes exactly one --school")
	}
	if m.Parallel < 1 {
		return usage("--parallel takes a number from 1")
	}
	return onFleet(c, database, func(conn *pgx.Conn, dirs directories) error {
		targets, err := selection{Only: "all", School: m.School}.targets(c.ctx, conn, dirs)
		if err != nil {
			return err
		}
		found, err := inspect(c.ctx, conn, targets, m.Parallel)
		if err != nil {
			return err
		}
		err = m.show(c, found)
		if m.Fix && found.drifted() == 1 {
			return m.fix(c, conn, targets, found.drifts[0])
		}
		return err
	})
}

// inspection is what was found in the schemas of the fleet.
type inspection struct {
	drifts      []fleet.Drift
	unreachable int
}

func (i inspection) drifted() (n int) {
	for _, d := range i.drifts {
		if len(d.Differences) > 0 {
			n++
		}
	}
	return n
}

// inspect looks for drift, a database at a time. One that can't be looked at does not keep the others from it.
func inspect(ctx context.Context, conn *pgx.Conn, targets []target, parallel int) (found inspection, err error) {
	for len(targets) > 0 {
		first := targets[0]
		n := slices.IndexFunc(targets, func(t target) bool { return t.Place() != first.Place() || t.dir != first.dir })
		if n < 0 {
			n = len(targets)
		}
		var group []fleet.Target
		for _, t := range targets[:n] {
			group = append(group, t.Target)
		}
		targets = targets[n:]
		err := onPlace(ctx, conn, first, func(there *pgx.Conn, err error) error {
			var drifts []fleet.Drift
			if err == nil {
				drifts, err = first.dir.Drift(ctx, there, group, parallel)
			}
			if ctx.Err() != nil || err == nil {
				found.drifts = append(found.drifts, drifts...)
				return ctx.Err()
			}
			for _, t := range group {
				found.unreachable++
				found.drifts = append(found.drifts, fleet.Drift{Target: t, Unknown: postgres.Fault(err).Error(), Differences: []fleet.Difference{}, SQL: []string{}})
			}
			return nil
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// show prints what is not as it should be. It is an error that there is such.
func (m migrateDrift) show(c *console, found inspection) error {
	drifts := slices.DeleteFunc(slices.Clone(found.drifts), func(d fleet.Drift) bool { return d.Unknown == "" && len(d.Differences) == 0 })
	if m.Output == "json" {
		if err := list(c.stdout, m.Output, drifts, nil, nil); err != nil {
			return err
		}
	} else if err := m.print(c, drifts); err != nil {
		return err
	}
	var err error
	if n := found.drifted(); n > 0 {
		err = fmt.Errorf("drift in %d of %d schemas", n, len(found.drifts))
	} else if m.Output == "table" {
		_, _ = fmt.Fprintf(c.stdout, "no drift in %s\n", count(len(found.drifts)-len(drifts), "schema"))
	}
	if found.unreachable > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d schemas could not be looked at", found.unreachable, len(found.drifts)))
	}
	return err
}

func (m migrateDrift) print(c *console, drifts []fleet.Drift) error {
	if len(drifts) == 0 {
		return nil
	}
	var rows [][]string
	for _, d := range drifts {
		if d.Unknown != "" {
			rows = append(rows, []string{d.School, d.Database, d.Schema, "not compared", d.Unknown, "", ""})
		}
		for _, one := range d.Differences {
			rows = append(rows, []string{d.School, d.Database, d.Schema, one.Kind, one.Object, line(one.Is), line(one.ShouldBe)})
		}
	}
	err := list(c.stdout, m.Output, rows, []string{"school", "database", "schema", "kind", "object", "is", "should be"}, func(row []string) []string { return row })
	for _, d := range drifts {
		if len(d.SQL) > 0 {
			_, _ = fmt.Fprintf(c.stdout, "\n-- %s in %s, revision %s\n%s", d.Schema, d.Place(), d.Version, d.Script())
		}
	}
	return err
}

// line is a definition as it fits into a table.
func line(definition string) string {
	const most = 60
	text := []rune(strings.Join(strings.Fields(definition), " "))
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

// fix runs the SQL that was shown, and looks again.
func (m migrateDrift) fix(c *console, conn *pgx.Conn, targets []target, drift fleet.Drift) error {
	if !m.Yes {
		_, _ = fmt.Fprintf(c.stderr, "Type the school's code to run this: ")
		code, err := typed(c)
		if err != nil {
			return err
		}
		if strings.TrimSpace(code) != drift.School {
			return errors.New("that is not its code: nothing was changed")
		}
	}
	err := onPlace(c.ctx, conn, targets[0], func(there *pgx.Conn, err error) error {
		if err != nil {
			return err
		}
		return drift.Mend(c.ctx, there)
	})
	if err != nil {
		return err
	}
	found, err := inspect(c.ctx, conn, targets, m.Parallel)
	if err != nil {
		return err
	}
	return m.show(c, found)
}

func checkDrift(ctx context.Context, conn *pgx.Conn, _ config.Checked, dirs directories) (string, bool, error) {
	targets, err := selection{Only: "all"}.targets(ctx, conn, dirs)
	if err != nil {
		return "", false, err
	}
	found, err := inspect(ctx, conn, targets, 2)
	n := found.drifted()
	return fmt.Sprintf("schemas that differ from their revisions: %d of %d; that could not be looked at: %d", n, len(targets), found.unreachable), n+found.unreachable == 0, err
}

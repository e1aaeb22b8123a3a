package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql/schema"
	"github.com/jackc/pgx/v5"

	publicmigrate "github.com/homeroom-sms/homeroom/ent/public/migrate"
	tenantmigrate "github.com/homeroom-sms/homeroom/ent/tenant/migrate"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"Where every schema stands."`
	Apply  migrateApply  `cmd:"" help:"Bring the public schema and every school to the last revision."`
	Diff   migrateDiff   `cmd:"" help:"Write the migrations that the ent graphs ask for."`
}

// target is one schema and the migrations it follows.
type target struct {
	School string           `json:"school"` // its code, "" for the public schema
	Schema string           `json:"schema"`
	dir    *fleet.Directory // never nil
}

// selection narrows which schemas a command looks at.
type selection struct {
	Only   string   `enum:"public,tenant,all" default:"all" help:"public or tenant alone." placeholder:"KIND"`
	School []string `help:"Only these schools." placeholder:"CODE"`
	Output string   `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
}

// targets are the schemas to look at: the public one first, then the schools by code. Before the
// public schema has its tables there are no schools.
func (s selection) targets(ctx context.Context, conn *pgx.Conn, dirs directories) ([]target, error) {
	var found []target
	if s.Only != "tenant" && len(s.School) == 0 {
		found = append(found, target{Schema: publicSchema, dir: dirs.public})
	}
	if s.Only == "public" {
		return found, nil
	}
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('public.clients') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return found, err
	}
	rows, err := conn.Query(ctx, `SELECT code, schema_name FROM public.clients WHERE cardinality($1::text[]) = 0 OR code = ANY ($1) ORDER BY code`, append([]string{}, s.School...))
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for _, code := range s.School {
		missing[code] = true
	}
	t := target{dir: dirs.tenant}
	_, err = pgx.ForEachRow(rows, []any{&t.School, &t.Schema}, func() error {
		found = append(found, t)
		delete(missing, t.School)
		return nil
	})
	for code := range missing {
		err = errors.Join(err, fmt.Errorf("there is no school %q", code))
	}
	return found, err
}

// onFleet runs do with a connection of its own to the database that the settings name.
func onFleet(c *console, database *config.Database, do func(*pgx.Conn, directories) error) error {
	checked, err := config.Check(database, nil, nil, tenancy.NormaliseHost)
	if err != nil {
		return err
	}
	dirs, err := loadDirectories()
	if err != nil {
		return err
	}
	s, err := reach(c.ctx, *database, checked)
	if err != nil {
		return err
	}
	err = withConn(c.ctx, s.url, func(conn *pgx.Conn) error { return do(conn, dirs) })
	return errors.Join(err, s.Close())
}

type migrateStatus struct{ selection }

type targetState struct {
	target
	Version string   `json:"version"`
	Pending []string `json:"pending"`
	State   string   `json:"state"`
}

func (m migrateStatus) Run(c *console, database *config.Database) error {
	return onFleet(c, database, func(conn *pgx.Conn, dirs directories) error {
		targets, err := m.targets(c.ctx, conn, dirs)
		if err != nil {
			return err
		}
		states := make([]targetState, 0, len(targets))
		for _, t := range targets {
			state, err := t.dir.Status(c.ctx, conn, t.Schema)
			if err != nil {
				return postgres.Fault(err)
			}
			states = append(states, targetState{t, state.Version, append([]string{}, state.Pending...), describe(state)})
		}
		return list(c.stdout, m.Output, states, []string{"school", "schema", "version", "pending", "state"}, func(s targetState) []string {
			return []string{s.School, s.Schema, s.Version, fmt.Sprint(len(s.Pending)), s.State}
		})
	})
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

type migrateApply struct{ selection }

type applied struct {
	target
	Version string `json:"version"`
	Error   string `json:"error,omitempty"`
}

func (m migrateApply) Run(c *console, database *config.Database) error {
	return onFleet(c, database, func(conn *pgx.Conn, dirs directories) error {
		report, failed, err := m.apply(c.ctx, conn, dirs)
		if err != nil {
			return err
		}
		err = list(c.stdout, m.Output, report, []string{"school", "schema", "version", "error"}, func(a applied) []string {
			return []string{a.School, a.Schema, a.Version, a.Error}
		})
		if failed > 0 {
			err = errors.Join(err, fmt.Errorf("%d of %d schemas failed; the others are done, and running again goes on with those", failed, len(report)))
		}
		return err
	})
}

// apply brings the selected schemas to their last revision. The public one must succeed; of the
// schools, one that fails does not hold back the rest.
func (m migrateApply) apply(ctx context.Context, conn *pgx.Conn, dirs directories) (report []applied, failed int, err error) {
	if m.Only != "tenant" && len(m.School) == 0 {
		if _, err := dirs.public.Apply(ctx, conn, publicSchema); err != nil {
			return nil, 0, err
		}
	}
	targets, err := m.targets(ctx, conn, dirs)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range targets {
		state, err := t.dir.Apply(ctx, conn, t.Schema)
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		done := applied{target: t, Version: state.Version}
		if err == nil && t.School != "" {
			_, err = conn.Exec(ctx, `UPDATE public.clients SET schema_version = $1 WHERE code = $2 AND schema_version <> $1`, state.Version, t.School)
		}
		if err != nil {
			failed++
			done.Error = err.Error()
		}
		report = append(report, done)
	}
	return report, failed, nil
}

type migrateDiff struct {
	Name string `arg:"" optional:"" default:"change" help:"What the change is about, such as add_homework."`
	Dir  string `default:"atlas" help:"Folder of the migrations." placeholder:"PATH"`
}

// Run writes the migrations that the graphs ask for. It tries them in scratch databases of the
// private PostgreSQL, whatever database is named: nothing of anybody's is touched.
func (m migrateDiff) Run(c *console, database *config.Database) (err error) {
	private := *database
	private.DatabaseURL, private.DatabaseURLFile = "", ""
	s, err := reach(c.ctx, private, config.Checked{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	graphs := []struct {
		name   string
		tables []*schema.Table
	}{{"public", publicmigrate.Tables}, {"tenant", tenantmigrate.Tables}}
	for _, graph := range graphs {
		written, err := m.diff(c.ctx, s.private, graph.name, graph.tables)
		if err != nil {
			return err
		}
		for _, file := range written {
			_, _ = fmt.Fprintln(c.stdout, "wrote "+file)
		}
		if len(written) == 0 {
			_, _ = fmt.Fprintln(c.stdout, graph.name+": no changes")
		}
	}
	return nil
}

func (m migrateDiff) diff(ctx context.Context, s *embedded.Server, graph string, tables []*schema.Table) (written []string, err error) {
	scratch := "homeroom_scratch_" + graph
	drop := "DROP DATABASE IF EXISTS " + scratch + " WITH (FORCE)"
	err = withConn(ctx, s.URL("postgres"), func(conn *pgx.Conn) error {
		for _, statement := range []string{drop, "CREATE DATABASE " + scratch} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		written, err = fleet.Diff(ctx, s.URL(scratch)+"&search_path=public", m.Dir+"/"+graph, m.Name, tables)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, drop)
		return err
	})
	return written, err
}

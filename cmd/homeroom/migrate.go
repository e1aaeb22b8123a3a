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
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

type migrateCommand struct {
	Status migrateStatus `cmd:"" help:"Where every schema stands."`
	Apply  migrateApply  `cmd:"" help:"Bring the public schema and every school to the last revision."`
	Diff   migrateDiff   `cmd:"" help:"Write the migrations that the ent graphs ask for."`
}

// selection narrows which schemas a command looks at.
type selection struct {
	Only   string   `enum:"public,tenant,all" default:"all" help:"public or tenant alone." placeholder:"KIND"`
	School []string `help:"Only these schools." placeholder:"CODE"`
	Output string   `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
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
		var states []targetState
		unreachable := 0
		err = onEach(c.ctx, conn, targets, func(conn *pgx.Conn, t target, err error) error {
			state := fleet.State{}
			if err == nil {
				state, err = t.dir.Status(c.ctx, conn, t.Schema)
			}
			shown := targetState{t, state.Version, append([]string{}, state.Pending...), describe(state)}
			if err != nil {
				unreachable++
				shown.State = "unknown: " + err.Error()
			}
			states = append(states, shown)
			return nil
		})
		if err != nil {
			return err
		}
		err = list(c.stdout, m.Output, states, []string{"school", "database", "schema", "version", "pending", "state"}, func(s targetState) []string {
			return []string{s.School, s.Database, s.Schema, s.Version, fmt.Sprint(len(s.Pending)), s.State}
		})
		if unreachable > 0 {
			err = errors.Join(err, fmt.Errorf("%d of %d schemas could not be looked at", unreachable, len(states)))
		}
		return err
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

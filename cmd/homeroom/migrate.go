package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"ariga.io/atlas/sql/migrate"
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
	Status migrateStatus `cmd:"" help:"Where the fleet stands."`
	Apply  migrateApply  `cmd:"" help:"Bring the public schema and every school to the last revision."`
	Diff   migrateDiff   `cmd:"" help:"Write the migrations that the ent graphs ask for."`
	Drift  migrateDrift  `cmd:"" help:"What differs in any schema from what its own revision says, and the SQL that mends it."`
	Hash   migrateHash   `cmd:"" help:"Bring atlas.sum up to date after a file was edited."`
	Lint   migrateLint   `cmd:"" help:"Say what is dangerous in the new migrations."`
}

// selection narrows which schemas a command looks at.
type selection struct {
	Only   string   `enum:"public,tenant,all" default:"all" help:"public or tenant alone." placeholder:"KIND"`
	School []string `help:"Only these schools." placeholder:"CODE"`
	Output string   `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
}

// check refuses schools of the public schema alone, which would be none.
func (s selection) check() error {
	if s.Only == "public" && len(s.School) > 0 {
		return usage("--only public takes no --school")
	}
	return nil
}

// onFleet runs do with a connection of its own, past any pooler, to the database that the settings name.
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
	err = s.onDirect(c.ctx, func(conn *pgx.Conn) error { return do(conn, dirs) })
	return errors.Join(err, s.Close())
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
	scratch := "homeroom_scratch_" + strings.ToLower(rand.Text())
	err = withConn(ctx, s.URL("postgres"), func(conn *pgx.Conn) (err error) {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+scratch); err != nil {
			return err
		}
		defer func() {
			_, dropped := conn.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+scratch+" WITH (FORCE)")
			err = errors.Join(err, dropped)
		}()
		written, err = fleet.Diff(ctx, s.URL(scratch)+"&search_path=public", m.Dir+"/"+graph, m.Name, graph == "tenant", tables)
		return err
	})
	return written, err
}

type migrateHash struct {
	Dir string `default:"atlas" help:"Folder of the migrations." placeholder:"PATH"`
}

// Run writes atlas.sum anew for the files as they are. A file that was applied anywhere must not have
// changed: status and apply tell.
func (m migrateHash) Run() error {
	for _, graph := range []string{"public", "tenant"} {
		dir, err := migrate.NewLocalDir(filepath.Join(m.Dir, graph))
		if err != nil {
			return usage("%s is no folder of migrations: %w", filepath.Join(m.Dir, graph), err)
		}
		sums, err := dir.Checksum()
		if err != nil {
			return err
		}
		if err := migrate.WriteSumFile(dir, sums); err != nil {
			return err
		}
	}
	return nil
}

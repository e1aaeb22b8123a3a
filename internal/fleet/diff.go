package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres" // also lets atlas open a URL of this scheme
	"ariga.io/atlas/sql/schema"
	"entgo.io/ent/dialect"
	entschema "entgo.io/ent/dialect/sql/schema"
	"github.com/jackc/pgx/v5/stdlib"
)

const indent = "  "

// register makes pgx known under the name that atlas opens.
var register = sync.OnceFunc(func() { sql.Register("postgres", stdlib.GetDefaultDriver()) })

// Diff compares a graph's tables with what the migrations in the folder at path add up to, and
// writes a file with the difference, if there is one. scratchURL is an empty database to try them
// in. It returns the names of the files that were written.
func Diff(ctx context.Context, scratchURL, path, name string, tables []*entschema.Table) ([]string, error) {
	register()
	dir, err := migrate.NewLocalDir(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	before, err := dir.Files()
	if err != nil {
		return nil, err
	}
	if err := writeDiff(ctx, scratchURL, dir, name, tables); err != nil {
		return nil, fmt.Errorf("comparing the graph with %s: %w", path, err)
	}
	after, err := dir.Files()
	if err != nil {
		return nil, err
	}
	var written []string
	for _, f := range after {
		if !slices.ContainsFunc(before, func(b migrate.File) bool { return b.Name() == f.Name() }) {
			written = append(written, strings.TrimSuffix(path, "/")+"/"+f.Name())
		}
	}
	return written, nil
}

func writeDiff(ctx context.Context, scratchURL string, dir migrate.Dir, name string, tables []*entschema.Table) error {
	gone := &dropped{ctx: ctx}
	graph, err := entschema.NewMigrateURL(scratchURL,
		entschema.WithDialect(dialect.Postgres),
		entschema.WithDir(dir),
		entschema.WithFormatter(gone),
		entschema.WithMigrationMode(entschema.ModeReplay),
		entschema.WithDropColumn(true),
		entschema.WithDropIndex(true),
		entschema.WithErrNoPlan(true),
		entschema.WithIndent(indent),
		entschema.WithDiffHook(gone.collect),
	)
	if err != nil {
		return err
	}
	err = graph.NamedDiff(ctx, name, tables...)
	if errors.Is(err, migrate.ErrNoPlan) {
		if len(gone.tables) == 0 {
			return nil
		}
		return migrate.NewPlanner(nil, dir, migrate.PlanFormat(gone)).WritePlan(&migrate.Plan{Name: name})
	}
	return err
}

// dropped is the tables that the migrations make and the graph lacks. ent leaves them out of its plan,
// so they are added to it as it is written: last, when nothing refers to them any more.
type dropped struct {
	ctx    context.Context //nolint:containedctx // a Formatter is given none
	tables []schema.Change
}

func (d *dropped) collect(next entschema.Differ) entschema.Differ {
	return entschema.DiffFunc(func(current, desired *schema.Schema) ([]schema.Change, error) {
		changes, err := next.Diff(current, desired)
		for _, change := range changes {
			if _, ok := change.(*schema.DropTable); ok {
				d.tables = append(d.tables, change)
			}
		}
		return changes, err
	})
}

// Format formats a plan and the tables to drop.
func (d *dropped) Format(plan *migrate.Plan) ([]migrate.File, error) {
	drops, err := postgres.DefaultPlan.PlanChanges(d.ctx, plan.Name, d.tables, func(o *migrate.PlanOptions) {
		o.SchemaQualifier, o.Indent = new(string), indent
	})
	if err != nil {
		return nil, err
	}
	plan.Changes = append(plan.Changes, drops.Changes...)
	return migrate.DefaultFormatter.Format(plan)
}

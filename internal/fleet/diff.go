package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	_ "ariga.io/atlas/sql/postgres" // lets atlas open a URL of this scheme
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"
	"github.com/jackc/pgx/v5/stdlib"
)

// Diff compares a graph's tables with what the migrations in the folder at path add up to, and
// writes a file with the difference, if there is one. scratchURL is an empty database to try them
// in. It returns the names of the files that were written.
func Diff(ctx context.Context, scratchURL, path, name string, tables []*schema.Table) ([]string, error) {
	if !slices.Contains(sql.Drivers(), "postgres") {
		sql.Register("postgres", stdlib.GetDefaultDriver()) // the name that atlas opens
	}
	dir, err := migrate.NewLocalDir(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	before, err := dir.Files()
	if err != nil {
		return nil, err
	}
	graph, err := schema.NewMigrateURL(scratchURL,
		schema.WithDialect(dialect.Postgres),
		schema.WithDir(dir),
		schema.WithFormatter(migrate.DefaultFormatter),
		schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDropColumn(true),
		schema.WithDropIndex(true),
		schema.WithErrNoPlan(true),
		schema.WithIndent("  "),
	)
	if err != nil {
		return nil, err
	}
	if err := graph.NamedDiff(ctx, name, tables...); errors.Is(err, migrate.ErrNoPlan) {
		return nil, nil
	} else if err != nil {
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

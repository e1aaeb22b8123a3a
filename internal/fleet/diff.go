package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

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
// in. With mark, a file without which the graph's program can't work is marked so. It returns
// the names of the files that were written. One at a time writes to a folder.
func Diff(ctx context.Context, scratchURL, path, name string, mark bool, tables []*entschema.Table) ([]string, error) {
	register()
	dir, err := migrate.NewLocalDir(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	unlock, err := lockFolder(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	defer unlock()
	before, err := dir.Files()
	if err != nil {
		return nil, err
	}
	if err := writeDiff(ctx, scratchURL, dir, name, &formatter{ctx: ctx, mark: mark, version: nextVersion(before)}, tables); err != nil {
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

// lockFolder takes the lock on a folder once nobody has it, and returns what lets go of it.
func lockFolder(ctx context.Context, path string) (unlock func(), err error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = folder.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, folder.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), folder.Close())
		case <-time.After(racedPause):
		}
	}
}

// nextVersion is that of a file written now: the time in seconds, but after all that are there.
func nextVersion(files []migrate.File) string {
	version := migrate.NewVersion()
	if len(files) == 0 || files[len(files)-1].Version() < version {
		return version
	}
	const seconds = "20060102150405"
	if last, err := time.Parse(seconds, files[len(files)-1].Version()); err == nil {
		version = last.Add(time.Second).Format(seconds)
	}
	return version
}

func writeDiff(ctx context.Context, scratchURL string, dir migrate.Dir, name string, format *formatter, tables []*entschema.Table) error {
	graph, err := entschema.NewMigrateURL(scratchURL,
		entschema.WithDialect(dialect.Postgres),
		entschema.WithDir(dir),
		entschema.WithFormatter(format),
		entschema.WithMigrationMode(entschema.ModeReplay),
		entschema.WithDropColumn(true),
		entschema.WithDropIndex(true),
		entschema.WithErrNoPlan(true),
		entschema.WithIndent(indent),
		entschema.WithDiffHook(format.collect),
	)
	if err != nil {
		return err
	}
	err = graph.NamedDiff(ctx, name, tables...)
	if errors.Is(err, migrate.ErrNoPlan) {
		if len(format.dropped) == 0 {
			return nil
		}
		return migrate.NewPlanner(nil, dir, migrate.PlanFormat(format)).WritePlan(&migrate.Plan{Name: name})
	}
	return err
}

// formatter writes a plan as atlas does. The tables that the migrations make and the graph lacks, which
// ent leaves out of its plan, are added: last, when nothing refers to them any more.
type formatter struct {
	ctx     context.Context //nolint:containedctx // a Formatter is given none
	mark    bool
	version string
	dropped []schema.Change
}

func (f *formatter) collect(next entschema.Differ) entschema.Differ {
	return entschema.DiffFunc(func(current, desired *schema.Schema) ([]schema.Change, error) {
		changes, err := next.Diff(current, desired)
		for _, change := range changes {
			if _, ok := change.(*schema.DropTable); ok {
				f.dropped = append(f.dropped, change)
			}
		}
		return changes, err
	})
}

// Format formats a plan and the tables to drop.
func (f *formatter) Format(plan *migrate.Plan) ([]migrate.File, error) {
	marked := f.mark && slices.ContainsFunc(plan.Changes, required)
	drops, err := postgres.DefaultPlan.PlanChanges(f.ctx, plan.Name, f.dropped, func(o *migrate.PlanOptions) {
		o.SchemaQualifier, o.Indent = new(string), indent
	})
	if err != nil {
		return nil, err
	}
	plan.Version, plan.Changes = f.version, append(plan.Changes, drops.Changes...)
	files, err := migrate.DefaultFormatter.Format(plan)
	for i, file := range files {
		if marked {
			files[i] = migrate.NewLocalFile(file.Name(), append([]byte(requires+"\n\n"), file.Bytes()...))
		}
	}
	return files, err
}

// required reports whether the program can't work without a change: ent reads and writes every column
// that it knows. An index more or less it does not notice.
func required(change *migrate.Change) bool {
	if modify, ok := change.Source.(*schema.ModifyTable); ok {
		return slices.ContainsFunc(modify.Changes, func(c schema.Change) bool { return !indexOnly(c) })
	}
	return !indexOnly(change.Source)
}

func indexOnly(c schema.Change) bool {
	switch c.(type) {
	case *schema.AddIndex, *schema.DropIndex, *schema.ModifyIndex:
		return true
	}
	return false
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"

	"github.com/homeroom-sms/homeroom/internal/fleet/lint"
)

type migrateLint struct {
	Dir    string `default:"atlas" help:"Folder of the migrations." placeholder:"PATH"`
	Base   string `default:"main" help:"New is what this git branch has not." placeholder:"BRANCH"`
	Since  string `xor:"new" help:"New is what comes after this version." placeholder:"VERSION"`
	All    bool   `xor:"new" help:"All files, as if they were new."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
}

// Run says what is dangerous in the new migrations. It needs no database.
func (m migrateLint) Run(c *console) error {
	found, looked := []lint.Finding{}, 0
	for _, graph := range []struct{ name, schema string }{{"public", publicSchema}, {"tenant", ""}} {
		path := filepath.Join(m.Dir, graph.name)
		dir, err := migrate.NewLocalDir(path)
		if err != nil {
			return usage("%s is no folder of migrations: %w", path, err)
		}
		files, err := dir.Files()
		if err != nil {
			return err
		}
		isNew, err := m.news(c.ctx, path)
		if err != nil {
			return err
		}
		for _, f := range lint.Files(files, graph.schema, func(f migrate.File) bool {
			if isNew(f) {
				looked++
				return true
			}
			return false
		}) {
			f.File = path + "/" + f.File
			found = append(found, f)
		}
	}
	if err := m.print(c, found, looked); err != nil {
		return err
	}
	failed := slices.DeleteFunc(found, func(f lint.Finding) bool { return f.Severity != "error" })
	if len(failed) > 0 {
		return fmt.Errorf("%d errors in new migrations", len(failed))
	}
	return nil
}

// news returns what tells the new files in a folder.
func (m migrateLint) news(ctx context.Context, path string) (func(migrate.File) bool, error) {
	switch {
	case m.All:
		return func(migrate.File) bool { return true }, nil
	case m.Since != "":
		return func(f migrate.File) bool { return f.Version() > m.Since }, nil
	}
	git := exec.CommandContext(ctx, "git", "ls-tree", "-r", "-z", "--name-only", m.Base, ".") //nolint:gosec // a branch, and no shell
	git.Dir = path
	output, err := git.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			err = errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, usage("%s can't be compared with the git branch %s (%w): give --base, --since or --all", path, m.Base, err)
	}
	old := strings.Split(string(output), "\x00")
	return func(f migrate.File) bool { return !slices.Contains(old, f.Name()) }, nil
}

func (m migrateLint) print(c *console, found []lint.Finding, looked int) error {
	if m.Output == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(found)
	}
	for _, f := range found {
		_, _ = fmt.Fprintf(c.stdout, "%s:%d %s %s\n    %s\n    why: %s\n    instead: %s\n", f.File, f.Line, f.Severity, f.Rule, f.Statement, f.Why, f.Instead)
	}
	_, err := fmt.Fprintf(c.stdout, "%d new files, %d findings\n", looked, len(found))
	return err
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/roster"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

type schoolImport struct {
	output
	config.Platform
	Dir         string `arg:"" type:"existingdir" help:"Folder of the export: schools.csv, teachers.csv, students.csv, sections.csv, enrollments.csv."`
	Create      bool   `help:"Create the schools that are not there yet."`
	DryRun      bool   `help:"Show what would change, and change nothing."`
	SkipInvalid bool   `help:"Leave rows with errors out, instead of the school that they are in."`
	Strict      bool   `help:"Take warnings for errors."`
}

// imported is what an import did to one school.
type imported struct {
	School  string        `json:"school"`
	Created bool          `json:"created"`
	Refused bool          `json:"refused,omitempty"`
	Error   string        `json:"error,omitempty"`
	Tables  roster.Report `json:"tables"`
}

// errDryRun undoes the creation of a school that was only to be tried.
var errDryRun = errors.New("dry run")

func (s schoolImport) Run(c *console, database *config.Database) error {
	district, problems := roster.ReadDistrict(os.DirFS(s.Dir), roster.ReadOptions{Strict: s.Strict, SkipInvalid: s.SkipInvalid, Today: time.Now()})
	for _, problem := range problems {
		_, _ = fmt.Fprintln(c.stderr, problem)
	}
	return atPlace(c, database, s.Platform, func(p *place) error {
		if s.Create && p.checked.BaseDomain == "" {
			return usage("--create takes --base-domain or HOMEROOM_BASE_DOMAIN: a new school is served on <code>.<base domain>")
		}
		var results []imported
		failed := 0
		for _, school := range district.Schools {
			result := imported{School: school.Code, Tables: roster.Report{}}
			if problems.Block(school.SourceID) {
				result.Refused = true
			} else if err := s.school(c, p, school, &result); err != nil {
				if c.ctx.Err() != nil {
					return c.ctx.Err()
				}
				result.Error = explain(err)
			}
			if result.Refused || result.Error != "" {
				failed++
			}
			results = append(results, result)
		}
		if err := s.report(c, results, problems); err != nil {
			return err
		}
		if failed > 0 || problems.Count(roster.Error) > 0 {
			return fmt.Errorf("%d of %d schools were not imported", failed, len(results))
		}
		return nil
	})
}

// school imports one school in one transaction, its creation included.
func (s schoolImport) school(c *console, p *place, read *roster.School, result *imported) error {
	row, err := p.platform.SchoolByCode(c.ctx, read.Code)
	missing := fault.Is(err, fault.NotFound)
	switch {
	case missing && !s.Create:
		return fmt.Errorf("there is no school %q: --create makes it", read.Code)
	case err != nil && !missing:
		return err
	case !missing && row.State == "deleted":
		return fmt.Errorf("the school %q is deleted: \"homeroom school restore %s\" brings it back", read.Code, read.Code)
	}
	progress := newProgress(c, read)
	defer progress.end()
	options := roster.ImportOptions{DryRun: s.DryRun, Progress: progress.set}
	if missing {
		return s.create(c, p, read, result, options)
	}
	return tenancy.InTx(c.ctx, p.registry.Schema(tenancy.DatabaseOf(row), row.SchemaName), func(db *tenantdb.Client) error {
		result.Tables, err = roster.Import(c.ctx, db, read, options)
		return err
	})
}

func (s schoolImport) create(c *console, p *place, read *roster.School, result *imported, options roster.ImportOptions) error {
	options.DryRun = false
	result.Created = true
	_, err := p.platform.Create(c.ctx, platform.Shell, platform.NewSchool{
		Name: read.Name, Code: read.Code,
		Fill: func(tx *tenancy.Tx, row *publicdb.School) (err error) {
			if result.Tables, err = roster.Import(c.ctx, tx.Schema(row.SchemaName), read, options); err == nil && s.DryRun {
				return errDryRun
			}
			return err
		},
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

func (s schoolImport) report(c *console, results []imported, problems roster.Problems) error {
	if s.Output == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(results)
	}
	type line struct {
		school string
		roster.Counts
	}
	var lines []line
	changes := 0
	for _, result := range results {
		changes += result.Tables.Changes()
		for _, counts := range result.Tables {
			lines = append(lines, line{result.School, counts})
		}
	}
	if len(lines) > 0 {
		err := list(c.stdout, s.Output, lines, []string{"school", "table", "created", "updated", "removed", "unchanged"}, func(l line) []string {
			return []string{l.school, l.Table, strconv.Itoa(l.Created), strconv.Itoa(l.Updated), strconv.Itoa(l.Removed), strconv.Itoa(l.Unchanged)}
		})
		if err != nil {
			return err
		}
	}
	for _, result := range results {
		switch {
		case result.Refused:
			_, _ = fmt.Fprintf(c.stdout, "%s: not imported, its rows have errors\n", result.School)
		case result.Error != "":
			_, _ = fmt.Fprintf(c.stdout, "%s: not imported: %s\n", result.School, result.Error)
		case result.Created && s.DryRun:
			_, _ = fmt.Fprintf(c.stdout, "%s: would be created\n", result.School)
		case result.Created:
			_, _ = fmt.Fprintf(c.stdout, "%s: created\n", result.School)
		}
	}
	tried := ""
	if s.DryRun {
		tried = " to come (dry run: nothing was written)"
	}
	_, err := fmt.Fprintf(c.stdout, "%s%s; %s, %s left out, %s\n", count(changes, "change"), tried,
		count(problems.Count(roster.Error), "error"), count(problems.Count(roster.LeftOut), "row"), count(problems.Count(roster.Warning), "warning"))
	return err
}

// count says how many of a thing there are.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// progress shows how far an import has come: a bar on a terminal, a line a school elsewhere.
type progress struct {
	bars *mpb.Progress
	bar  *mpb.Bar
}

func newProgress(c *console, read *roster.School) progress {
	if !isTerminal(c.stderr) {
		_, _ = fmt.Fprintf(c.stderr, "importing %s: %d records ...\n", read.Code, read.Records())
		return progress{}
	}
	bars := mpb.New(mpb.WithOutput(c.stderr), mpb.WithWidth(40))
	return progress{bars, bars.AddBar(int64(read.Records()), mpb.PrependDecorators(decor.Name(read.Code+" ")),
		mpb.AppendDecorators(decor.CountersNoUnit("%d / %d")))}
}

func (p progress) set(done int) {
	if p.bar != nil {
		p.bar.SetCurrent(int64(done))
	}
}

// end leaves the bar where it is: full, or where an error stopped it.
func (p progress) end() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}

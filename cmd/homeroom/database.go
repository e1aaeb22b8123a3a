package main

import (
	"errors"
	"fmt"
	"strconv"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

type databaseCommand struct {
	List   databaseList   `cmd:"" help:"The registered databases; primary, which holds the public schema, is none of them."`
	Add    databaseAdd    `cmd:"" help:"Register a database that may hold schools."`
	Check  databaseCheck  `cmd:"" help:"Prove that databases can be used: reachable, version, rights, clock, latency."`
	Remove databaseRemove `cmd:"" help:"End a registration; the database itself is left as it is."`
}

type databaseList struct {
	output
	config.Platform
}

// databases are all registered databases.
func (p *place) databases(c *console) (all []*publicdb.Database, err error) {
	err = everyPage(func(page keyset.Page) ([]*publicdb.Database, string, error) { return p.platform.Databases(c.ctx, page) },
		func(row *publicdb.Database) { all = append(all, row) })
	return all, err
}

func (o output) databases(c *console, rows ...*publicdb.Database) error {
	var shown []systemapi.Database
	for _, row := range rows {
		shown = append(shown, systemapi.DatabaseOf(row))
	}
	return list(c.stdout, o.Output, shown, []string{"name", "kind", "url", "password", "capacity", "active"}, func(d systemapi.Database) []string {
		password := ""
		if d.PasswordRef != nil {
			password = *d.PasswordRef
		}
		return []string{d.Name, d.Kind, d.URL, password, strconv.Itoa(d.Capacity), strconv.FormatBool(d.IsActive)}
	})
}

func (d databaseList) Run(c *console, database *config.Database) error {
	return atPlace(c, database, d.Platform, func(p *place) error {
		rows, err := p.databases(c)
		if err != nil {
			return err
		}
		return d.output.databases(c, rows...)
	})
}

type databaseAdd struct {
	output
	config.Platform
	Name        string `arg:"" help:"What it is to be called: a-z, 0-9 and hyphens."`
	URL         string `arg:"" name:"url" help:"postgres://user@host:port/database, without a password."`
	PasswordRef string `help:"Where the password is: env:HOMEROOM_DB_PASSWORD_... or file:PATH in HOMEROOM_SECRETS_DIR." placeholder:"REF"`
	Capacity    int    `default:"500" help:"Schools, at most." placeholder:"N"`
	Kind        string `enum:"shared,dedicated" default:"shared" help:"shared (for many schools) or dedicated (an empty database for one)." placeholder:"KIND"`
	Active      bool   `default:"true" negatable:"" help:"Whether it takes new schools."`
}

func (d databaseAdd) Run(c *console, database *config.Database) error {
	return atPlace(c, database, d.Platform, func(p *place) error {
		n := platform.NewDatabase{Name: d.Name, Kind: d.Kind, DatabaseChange: platform.DatabaseChange{URL: d.URL, Capacity: d.Capacity, IsActive: d.Active}}
		if d.PasswordRef != "" {
			n.PasswordRef = &d.PasswordRef
		}
		row, err := p.platform.AddDatabase(c.ctx, platform.Shell, n)
		if err != nil {
			return err
		}
		return d.output.databases(c, row)
	})
}

type databaseCheck struct {
	output
	config.Platform
	Name []string `arg:"" optional:"" help:"Only these (default: all, primary included)."`
}

func (d databaseCheck) Run(c *console, database *config.Database) error {
	return atPlace(c, database, d.Platform, func(p *place) error {
		names := d.Name
		if len(names) == 0 {
			rows, err := p.databases(c)
			if err != nil {
				return err
			}
			names = append(names, postgres.Primary)
			for _, row := range rows {
				names = append(names, row.Name)
			}
		}
		var all []platform.Check
		failed := 0
		for _, name := range names {
			checks, err := p.platform.CheckDatabase(c.ctx, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for _, check := range checks {
				if !check.OK {
					failed++
				}
			}
			all = append(all, checks...)
		}
		err := list(c.stdout, d.Output, all, []string{"database", "check", "ok", "message"}, func(k platform.Check) []string {
			return []string{k.Database, k.Check, strconv.FormatBool(k.OK), k.Message}
		})
		if failed > 0 {
			err = errors.Join(err, fmt.Errorf("%s failed", count(failed, "check")))
		}
		return err
	})
}

type databaseRemove struct {
	config.Platform
	Name string `arg:"" help:"The database's name."`
}

func (d databaseRemove) Run(c *console, database *config.Database) error {
	return atPlace(c, database, d.Platform, func(p *place) error {
		if err := p.platform.RemoveDatabase(c.ctx, platform.Shell, d.Name, func(*publicdb.Database) error { return nil }); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.stdout, "%s is registered no more.\n", d.Name)
		return err
	})
}

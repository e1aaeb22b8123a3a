package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

type schoolCommand struct {
	List        schoolList        `cmd:"" help:"All schools."`
	Show        schoolShow        `cmd:"" help:"One school."`
	Create      schoolCreate      `cmd:"" help:"Create a school, with its schema and tables."`
	Update      schoolUpdate      `cmd:"" help:"Rename a school, switch it on or off, give it other domains."`
	Delete      schoolDelete      `cmd:"" help:"Take a school off the air; its data is kept."`
	Restore     schoolRestore     `cmd:"" help:"Bring a deleted school back."`
	Purge       schoolPurge       `cmd:"" help:"Destroy a school and its data, for good."`
	Import      schoolImport      `cmd:"" help:"Bring a district's export into its schools."`
	Impersonate schoolImpersonate `cmd:"" help:"Print an access token of an admin of a school, for 15 minutes."`
}

// atPlace runs do at the place that the settings name.
func atPlace(c *console, database *config.Database, hosts config.Platform, do func(*place) error) (err error) {
	p, err := open(c.ctx, *database, hosts, nil, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return do(p)
}

// output is how a school is printed.
type output struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
}

func (o output) school(c *console, row *publicdb.School) error {
	if o.Output == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(systemapi.SchoolOf(row))
	}
	return o.schools(c, []*publicdb.School{row})
}

func (o output) schools(c *console, rows []*publicdb.School) error {
	schools := make([]systemapi.School, 0, len(rows))
	for _, row := range rows {
		schools = append(schools, systemapi.SchoolOf(row))
	}
	columns := []string{"code", "name", "database", "schema", "state", "active", "setup", "version", "domains"}
	return list(c.stdout, o.Output, schools, columns, func(s systemapi.School) []string {
		var domains []string
		for _, d := range s.Domains {
			domains = append(domains, d.Domain)
		}
		return []string{s.Code, s.Name, s.Database, s.SchemaName, s.State, strconv.FormatBool(s.IsActive), s.SetupProgress, s.SchemaVersion, strings.Join(domains, " ")}
	})
}

type schoolList struct {
	output
	config.Platform
	Search  string `help:"In name, code and domains."`
	Deleted bool   `help:"The deleted schools."`
}

func (s schoolList) Run(c *console, database *config.Database) error {
	return atPlace(c, database, s.Platform, func(p *place) error {
		filter := platform.SchoolFilter{Search: s.Search}
		if s.Deleted {
			filter.State = "deleted"
		}
		var all []*publicdb.School
		err := everyPage(func(page keyset.Page) ([]*publicdb.School, string, error) {
			return p.platform.Schools(c.ctx, filter, page)
		},
			func(row *publicdb.School) { all = append(all, row) })
		if err != nil {
			return err
		}
		return s.schools(c, all)
	})
}

// named is a command about one school.
type named struct {
	output
	config.Platform
	Code string `arg:"" help:"The school's code."`
}

// run calls do with the school.
func (n named) run(c *console, database *config.Database, do func(*place, *publicdb.School) error) error {
	return atPlace(c, database, n.Platform, func(p *place) error {
		row, err := p.platform.SchoolByCode(c.ctx, n.Code)
		if err != nil {
			return err
		}
		return do(p, row)
	})
}

type schoolShow struct{ named }

func (s schoolShow) Run(c *console, database *config.Database) error {
	return s.run(c, database, func(_ *place, row *publicdb.School) error { return s.school(c, row) })
}

type schoolCreate struct {
	named
	Name       string   `required:"" help:"The school's name."`
	SchemaName string   `help:"Its PostgreSQL schema (default: school_<code>)." placeholder:"SCHEMA"`
	Domain     []string `help:"Its domains; the first is primary (default: <code>.<base domain>)." placeholder:"DOMAIN"`
	Isolation  string   `enum:"schema,database" default:"schema" help:"schema (among others) or database (in one of its own)." placeholder:"KIND"`
	Database   string   `default:"primary" help:"The registered database that is to hold it." placeholder:"NAME"`
	AdminEmail string   `and:"admin" help:"The e-mail address of its first admin, whose invitation is printed." placeholder:"ADDRESS"`
	AdminName  string   `and:"admin" help:"The admin's full name." placeholder:"NAME"`
}

func newDomains(names []string) (domains []platform.NewDomain) {
	for i, name := range names {
		domains = append(domains, platform.NewDomain{Domain: name, IsPrimary: i == 0})
	}
	return domains
}

func (s schoolCreate) Run(c *console, database *config.Database) error {
	n := platform.NewSchool{
		Name: s.Name, Code: s.Code, SchemaName: s.SchemaName, Domains: newDomains(s.Domain), Isolation: s.Isolation, Database: s.Database,
	}
	if s.AdminEmail != "" {
		invitation, err := auth.NewInvitation("admin", s.AdminEmail, s.AdminName, auth.RoleAdmin)
		if err != nil {
			return err
		}
		n.Admin = &invitation
	}
	return atPlace(c, database, s.Platform, func(p *place) error {
		row, err := p.platform.Create(c.ctx, platform.Shell, n)
		if err != nil {
			return err
		}
		if n.Admin != nil {
			// Beside the school, which may be read by a program.
			_, _ = fmt.Fprintf(c.stderr, "The admin's invitation, for /auth/accept-invite/ within 7 days:\n%s\n", n.Admin.Token)
		}
		return s.school(c, row)
	})
}

type schoolUpdate struct {
	named
	Name   string   `help:"Its name from now on."`
	Active *bool    `negatable:"" help:"Switch it on, or off."`
	Domain []string `help:"All its domains from now on; the first is primary." placeholder:"DOMAIN"`
}

func (s schoolUpdate) Run(c *console, database *config.Database) error {
	return s.run(c, database, func(p *place, row *publicdb.School) error {
		row, err := p.platform.Update(c.ctx, platform.Shell, row.ID, func(row *publicdb.School) (platform.SchoolChange, error) {
			change := platform.SchoolChange{Name: row.Name, Code: row.Code, IsActive: row.IsActive, Domains: newDomains(s.Domain)}
			if s.Name != "" {
				change.Name = s.Name
			}
			if s.Active != nil {
				change.IsActive = *s.Active
			}
			return change, nil
		})
		if err != nil {
			return err
		}
		return s.school(c, row)
	})
}

type schoolDelete struct{ named }

func (s schoolDelete) Run(c *console, database *config.Database) error {
	return s.run(c, database, func(p *place, row *publicdb.School) error {
		if err := p.platform.Delete(c.ctx, platform.Shell, row.ID, func(*publicdb.School) error { return nil }); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.stdout, "%s is off the air; \"homeroom school restore %s\" brings it back.\n", s.Code, s.Code)
		return err
	})
}

type schoolRestore struct{ named }

func (s schoolRestore) Run(c *console, database *config.Database) error {
	return s.run(c, database, func(p *place, row *publicdb.School) error {
		row, err := p.platform.Restore(c.ctx, platform.Shell, row.ID)
		if err != nil {
			return err
		}
		return s.school(c, row)
	})
}

type schoolPurge struct {
	named
	Confirm string `required:"" help:"The school's code once more." placeholder:"CODE"`
	Abandon bool   `help:"Also if its making was cut off and its database can't be reached: says what is left there."`
}

func (s schoolPurge) Run(c *console, database *config.Database) error {
	return s.run(c, database, func(p *place, row *publicdb.School) error {
		var left string
		var err error
		if s.Abandon {
			left, err = p.platform.Abandon(c.ctx, platform.Shell, row.ID, s.Confirm)
		} else {
			err = p.platform.Purge(c.ctx, platform.Shell, row.ID, s.Confirm)
		}
		if err != nil {
			return err
		}
		if left != "" {
			_, err = fmt.Fprintf(c.stdout, "%s is gone from here. It is left to you to drop:\n%s\n", s.Code, left)
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s and its data are gone.\n", s.Code)
		return err
	})
}

type schoolImpersonate struct {
	named
	Reason         string `required:"" help:"Why; kept in the audit."`
	SigningKey     string `env:"HOMEROOM_SIGNING_KEY" help:"Keys of access tokens; the first signs (default with a private PostgreSQL: that of dev)." placeholder:"KEY,..."`
	SigningKeyFile string `env:"HOMEROOM_SIGNING_KEY_FILE" help:"File that holds the signing keys." placeholder:"PATH"`
}

func (s schoolImpersonate) Run(c *console, database *config.Database) error {
	keys, err := config.SigningKeys(s.SigningKey, s.SigningKeyFile)
	if err != nil {
		return err
	}
	return s.run(c, database, func(p *place, row *publicdb.School) error {
		if keys == nil && p.private != nil {
			key, err := devSigningKey(database.DataDir)
			if err != nil {
				return err
			}
			keys = [][]byte{key}
		}
		if keys == nil {
			return usage("HOMEROOM_SIGNING_KEY takes the key of the service that is to accept the token")
		}
		tokens, err := auth.NewTokens(keys[0], time.Now)
		if err != nil {
			return err
		}
		token, expires, err := tokens.ForSchool(row.ID, auth.Principal{Name: platform.Shell.Name, Role: auth.RoleAdmin}, systemapi.Impersonating)
		if err != nil {
			return err
		}
		if err := p.platform.Impersonated(c.ctx, platform.Shell, row.ID, s.Reason, expires); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, token)
		return err
	})
}

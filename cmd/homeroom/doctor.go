package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

type doctorCommand struct {
	config.Platform
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json." placeholder:"FORMAT"`
}

// finding is one line of the doctor's report.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Says  string `json:"says"`
}

// Run checks what the service needs, a line each.
func (d doctorCommand) Run(c *console, database *config.Database) (err error) {
	checked, err := config.Check(database, &d.Platform, nil, tenancy.NormaliseHost)
	if err != nil {
		return err
	}
	dirs, err := loadDirectories()
	if err != nil {
		return err
	}
	findings := []finding{{"settings", true, "every one can be read"}}
	s, err := reach(c.ctx, *database, checked)
	if err != nil {
		return err
	}
	p, err := newPlace(s, checked, dirs, false, checked.MaxConns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	start := time.Now()
	err = withConn(c.ctx, s.url, func(conn *pgx.Conn) error {
		findings = append(findings, finding{"connection", true, fmt.Sprintf("answered after %d ms", time.Since(start).Milliseconds())})
		for _, check := range checks {
			findings = append(findings, check.run(c.ctx, conn, checked, dirs))
		}
		findings = append(findings, p.checkRegistered(c)...)
		return nil
	})
	if err != nil {
		findings = append(findings, finding{"connection", false, err.Error()})
	}
	sick := 0
	for _, f := range findings {
		if !f.OK {
			sick++
		}
	}
	err = list(c.stdout, d.Output, findings, []string{"", "check", "says"}, func(f finding) []string {
		return []string{map[bool]string{true: "ok", false: "FAIL"}[f.OK], f.Check, f.Says}
	})
	if sick > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d checks failed", sick, len(findings)))
	}
	return err
}

// check looks at one thing; an error of its query is a failure.
type check struct {
	name string
	look func(context.Context, *pgx.Conn, config.Checked, directories) (says string, ok bool, err error)
}

func (k check) run(ctx context.Context, conn *pgx.Conn, checked config.Checked, dirs directories) finding {
	says, ok, err := k.look(ctx, conn, checked, dirs)
	if err != nil {
		return finding{k.name, false, err.Error()}
	}
	return finding{k.name, ok, says}
}

var checks = []check{
	{"version", checkVersion},
	{"rights", checkRights},
	{"tenant roles", checkTenantRoles},
	{"pooler", checkPooler},
	{"direct connection", checkDirectURL},
	{"public schema", checkPublicSchema},
	{"background jobs", checkJobsSchema},
	{"schools", checkSchools},
	{"drift", checkDrift},
	{"clock", checkClock},
	{"disk", checkDisk},
}

func checkVersion(ctx context.Context, conn *pgx.Conn, _ config.Checked, _ directories) (says string, ok bool, err error) {
	var number int
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&says, &number)
	return "PostgreSQL " + says, number >= embedded.MinMajor*10_000, err
}

func checkRights(ctx context.Context, conn *pgx.Conn, _ config.Checked, _ directories) (says string, ok bool, err error) {
	err = conn.QueryRow(ctx, "SELECT has_database_privilege(current_database(), 'CREATE')").Scan(&ok)
	if !ok {
		return "the login may not create schemas in this database: GRANT CREATE ON DATABASE", false, err
	}
	return "the login may create schemas", true, err
}

func checkTenantRoles(ctx context.Context, conn *pgx.Conn, checked config.Checked, _ directories) (string, bool, error) {
	on, err := tenantRoles(ctx, conn, checked.TenantRoles)
	if err != nil || !on {
		return "off: the login may not create roles, or HOMEROOM_TENANT_ROLES is off", err == nil, err
	}
	var without int
	err = conn.QueryRow(ctx, "SELECT count(*) FROM public.clients WHERE role_name = '' AND state <> 'provisioning'").Scan(&without)
	if postgres.IsUndefined(err) {
		return "on", true, nil
	}
	return fmt.Sprintf("on; schools without one: %d", without), true, err
}

func checkPooler(ctx context.Context, conn *pgx.Conn, checked config.Checked, _ directories) (string, bool, error) {
	pooled, err := entpgx.Pooled(ctx, conn)
	switch {
	case err != nil || !pooled:
		return "none in front", true, err
	case checked.DirectDatabaseURL != "":
		return "one is in front: statements bear no names", true, nil
	}
	return "one is in front, and HOMEROOM_DIRECT_DATABASE_URL does not say the way past it: schools are read anew each time, and none can be made in a database of its own", true, nil
}

func checkDirectURL(ctx context.Context, conn *pgx.Conn, checked config.Checked, _ directories) (string, bool, error) {
	if checked.DirectDatabaseURL == "" {
		return "none beside HOMEROOM_DATABASE_URL", true, nil
	}
	err := withConn(ctx, checked.DirectDatabaseURL, func(direct *pgx.Conn) error { return checkDirect(ctx, conn, direct) })
	return "leads to the same database, past any pooler", err == nil, err
}

func checkPublicSchema(ctx context.Context, conn *pgx.Conn, _ config.Checked, dirs directories) (string, bool, error) {
	state, err := dirs.public.Status(ctx, conn, publicSchema)
	return describe(state), err == nil && len(state.Pending) == 0 && len(state.Edited) == 0, err
}

func checkSchools(ctx context.Context, conn *pgx.Conn, _ config.Checked, dirs directories) (string, bool, error) {
	var schools, behind int
	err := conn.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE schema_version < $1) FROM public.clients WHERE state NOT IN ('provisioning', 'failed')", dirs.tenant.Version()).Scan(&schools, &behind)
	if postgres.IsUndefined(err) {
		return "none yet", true, nil
	}
	return fmt.Sprintf("%d, behind their migrations: %d", schools, behind), behind == 0, err
}

func checkClock(ctx context.Context, conn *pgx.Conn, _ config.Checked, _ directories) (string, bool, error) {
	var server time.Time
	err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&server)
	off := time.Since(server).Abs()
	return fmt.Sprintf("the server's differs by %d ms", off.Milliseconds()), off < 5*time.Second, err
}

// checkRegistered tries every registered database, as "database check" does.
func (p *place) checkRegistered(c *console) (findings []finding) {
	rows, err := p.databases(c)
	if postgres.IsUndefined(err) { // the public schema is behind, which is said already
		return nil
	}
	if err != nil {
		return []finding{{"databases", false, err.Error()}}
	}
	for _, row := range rows {
		name := "database " + row.Name
		checks, err := p.platform.CheckDatabase(c.ctx, row.Name)
		if err != nil {
			findings = append(findings, finding{name, false, err.Error()})
			continue
		}
		var wrong []string
		for _, check := range checks {
			if !check.OK {
				wrong = append(wrong, check.Check+": "+check.Message)
			}
		}
		findings = append(findings, finding{name, len(wrong) == 0, cmp.Or(strings.Join(wrong, "; "), "can be used")})
	}
	return findings
}

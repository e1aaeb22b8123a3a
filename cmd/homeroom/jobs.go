package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/expiry"
	"github.com/homeroom-sms/homeroom/internal/jobs"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// keepOperations is for how long it is told how an operation went.
const keepOperations = 30 * 24 * time.Hour

// background returns the runner of the work that no request waits for.
func (p *place) background(ctx context.Context, log zerolog.Logger) (runner *jobs.Runner, err error) {
	runner, err = jobs.New(ctx, jobs.Settings{
		URL: p.url, Drain: p.checked.DrainTimeout, Log: log, Operation: p.platform.Perform,
		Periodic: []jobs.Periodic{
			{Name: "retention", Every: time.Hour, Do: func(ctx context.Context) error {
				return errors.Join(p.platform.Expire(ctx, time.Now().Add(-p.checked.Retention)), p.begin(ctx, runner))
			}},
			{Name: "operations", Every: time.Minute, Do: func(ctx context.Context) error { return p.begin(ctx, runner) }},
			{Name: "forget-operations", Every: time.Hour, Do: func(ctx context.Context) error {
				return p.platform.PruneOperations(ctx, time.Now().Add(-keepOperations))
			}},
			{Name: "forget-expired", Every: time.Hour, Do: func(ctx context.Context) error {
				return errors.Join(expiry.Platform(ctx, p.registry.Public()), p.registry.EachSchool(ctx, func(ctx context.Context, db *tenantdb.Client) error {
					return expiry.School(ctx, db)
				}))
			}},
		},
	})
	return runner, err
}

// begin has all operations carried out that are to be done: whoever took one down may have died before it
// could say so.
func (p *place) begin(ctx context.Context, runner *jobs.Runner) error {
	ids, err := p.platform.Unfinished(ctx)
	for _, id := range ids {
		err = errors.Join(err, runner.Begin(ctx, id))
	}
	return err
}

// checkJobs brings the schema of background jobs up to date, or refuses one that is behind.
func checkJobs(ctx context.Context, conn *pgx.Conn, migrate bool) error {
	if migrate {
		return jobs.Migrate(ctx, conn)
	}
	behind, err := jobs.Behind(ctx, conn)
	if err != nil {
		return postgres.Fault(err)
	}
	if behind > 0 {
		return exitError{exitNotReady, fmt.Errorf("the schema of background jobs is %d migrations behind: run \"homeroom migrate apply\", or serve with --migrate", behind)}
	}
	return nil
}

func checkJobsSchema(ctx context.Context, conn *pgx.Conn, _ config.Checked, _ directories) (string, bool, error) {
	behind, err := jobs.Behind(ctx, conn)
	if behind > 0 {
		return fmt.Sprintf("their schema is %d migrations behind", behind), false, err
	}
	return "their schema is current", true, err
}

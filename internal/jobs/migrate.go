package jobs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Schema holds the jobs. Its tables are river's, with river's own migrations.
const Schema = "jobs"

func migrator() (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(nil), &rivermigrate.Config{Schema: Schema, Logger: slog.New(slog.DiscardHandler)})
}

// Migrate brings the schema up to date, a transaction for each migration: some use what another has added.
// It may be killed in between and run again; two at once take turns.
func Migrate(ctx context.Context, conn *pgx.Conn) error {
	m, err := migrator()
	if err != nil {
		return err
	}
	for more := true; more && err == nil; {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('homeroom_jobs', 0))"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+Schema); err != nil {
				return err
			}
			result, err := m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{MaxSteps: 1}) //nolint:staticcheck // deprecated for several at once; Migrate would need a pool
			more = err == nil && len(result.Versions) > 0
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("migrating the schema of the background jobs: %w", err)
	}
	return nil
}

// Behind returns how many migrations the schema lacks.
func Behind(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	m, err := migrator()
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		applied, err := m.ExistingVersionsTx(ctx, tx)
		n = len(m.AllVersions()) - len(applied)
		return err
	})
	return n, err
}

// Version names the last migration that this program knows.
func Version() (int, error) {
	m, err := migrator()
	if err != nil {
		return 0, err
	}
	all := m.AllVersions()
	return all[len(all)-1].Version, nil
}

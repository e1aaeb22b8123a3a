package fleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Where a school stands.
const (
	Current = "current"
	Behind  = "behind"
	Ahead   = "ahead"  // at a revision that the directory does not know
	Failed  = "failed" // its last migration did
)

// Standing says where a school stands by what is recorded of it, and the revisions to come.
func (d *Directory) Standing(version, failure string) (state string, pending []string) {
	for _, f := range d.files {
		if f.version > version {
			pending = append(pending, f.version)
		}
	}
	switch {
	case failure != "":
		return Failed, pending
	case len(pending) > 0:
		return Behind, pending
	case version > d.Version():
		return Ahead, nil
	}
	return Current, nil
}

// LastChange reads when a schema's last revision was applied and how long that took.
func LastChange(ctx context.Context, conn *pgx.Conn, schema string) (at *time.Time, took time.Duration, err error) {
	err = conn.QueryRow(ctx, `SELECT executed_at, execution_time FROM `+ident(schema)+`.atlas_schema_revisions
		WHERE version NOT LIKE '.%' ORDER BY version COLLATE "C" DESC LIMIT 1`).Scan(&at, &took)
	if errors.Is(err, pgx.ErrNoRows) || postgres.IsUndefined(err) {
		return nil, 0, nil
	}
	return at, took, err
}

// Finding is what a school's own revisions say.
type Finding struct {
	Target          // with what is recorded of it from now on
	Was    Recorded // what was recorded of it before
	State  State
}

// Wrong reports whether what was recorded was not so.
func (f Finding) Wrong() bool { return f.Was != f.Recorded }

// Verify looks at the own revisions of schools of one database, and says what should be recorded of them.
// A failure that is recorded is forgotten where nothing is left to apply. What is to be recorded is on the disk.
func (d *Directory) Verify(ctx context.Context, conn *pgx.Conn, targets []Target) ([]Finding, error) {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Schema
	}
	states, err := d.Survey(ctx, conn, names)
	if err != nil {
		return nil, err
	}
	found := make([]Finding, len(targets))
	for i, t := range targets {
		f := Finding{t, t.Recorded, states[t.Schema]}
		if !f.State.Missing {
			f.Recorded.Version = f.State.Version
			if len(f.State.Pending) == 0 && len(f.State.Edited) == 0 {
				f.Recorded.Error = ""
			}
		}
		found[i] = f
	}
	if slices.ContainsFunc(found, Finding.Wrong) {
		err = flush(ctx, conn) // what a run has just done
	}
	return found, err
}

// Correct makes public.clients say what was found. What others have recorded since the targets were read
// stays.
func Correct(ctx context.Context, primary *pgx.Conn, found []Finding) error {
	var codes, before, versions, failures []string
	for _, f := range found {
		if f.Wrong() {
			codes, before = append(codes, f.School), append(before, f.Was.Version)
			versions, failures = append(versions, f.Recorded.Version), append(failures, f.Recorded.Error)
		}
	}
	if len(codes) == 0 {
		return nil
	}
	// The school's ETag follows from updated_at.
	_, err := primary.Exec(ctx, `UPDATE public.clients c SET schema_version = f.version, migration_error = f.failure, updated_at = now()
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS f (code, was, version, failure) WHERE c.code = f.code AND c.schema_version = f.was`,
		codes, before, versions, failures)
	return err
}

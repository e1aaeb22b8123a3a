package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

var (
	ident   = postgres.Ident
	literal = postgres.Literal
)

// commandLock is the advisory lock that the atlas command holds while it applies,
// fnv32("atlas_migrate_execute"). Ours is shared: our workers run beside each other, not beside it.
const commandLock = 2686470616

// State is where a schema stands against a directory.
type State struct {
	Version string   // the last applied revision, "" before the first
	Pending []string // the revisions to come
	Edited  []string // applied revisions whose files have another content now
	Ahead   bool     // the last applied revision is one the directory does not know
	Missing bool     // there is no such schema
}

// Status reads where a schema stands.
func (d *Directory) Status(ctx context.Context, conn *pgx.Conn, schema string) (State, error) {
	applied, last, err := revisions(ctx, conn, schema)
	if err != nil {
		return State{}, fmt.Errorf("reading the revisions of %s: %w", schema, err)
	}
	state := State{Version: last, Ahead: last > d.Version()}
	for _, f := range d.files {
		switch hash, found := applied[f.version]; {
		case !found:
			state.Pending = append(state.Pending, f.version)
		case hash != f.hash:
			state.Edited = append(state.Edited, f.version)
		}
	}
	return state, nil
}

// revisions returns the hash of each revision that was applied in full, and the last version. A
// version with a dot before it is a note of the atlas command's, no revision.
func revisions(ctx context.Context, conn *pgx.Conn, schema string) (map[string]string, string, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(
		`SELECT version, hash FROM %s.atlas_schema_revisions WHERE version NOT LIKE '.%%' AND applied = total AND error IS NULL ORDER BY version`, ident(schema)))
	applied, last, version, hash := map[string]string{}, "", "", ""
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&version, &hash}, func() error {
			applied[version], last = hash, version
			return nil
		})
	}
	if postgres.IsUndefined(err) {
		return applied, "", nil
	}
	return applied, last, err
}

// Apply brings one schema to the directory's last revision, a transaction a file, and returns
// where it stands then. It may be killed at any point and run again, also twice at once.
func (d *Directory) Apply(ctx context.Context, conn *pgx.Conn, schema string) (State, error) {
	for attempt := 1; ; attempt++ {
		state, err := d.Status(ctx, conn, schema)
		switch {
		case err != nil:
			return state, err
		case len(state.Edited) > 0:
			return state, fmt.Errorf("revision %s of %s was edited after it had been applied", strings.Join(state.Edited, ", "), schema)
		case len(state.Pending) == 0 || state.Ahead:
			return state, nil
		}
		if state.Pending[0] < state.Version {
			return state, fmt.Errorf("revision %s is not applied to %s though the later %s is: files must be added at the end", state.Pending[0], schema, state.Version)
		}
		err = d.applyFile(ctx, conn, schema, state)
		if err == nil {
			attempt = 0
			continue
		}
		if !worthRetrying(err) || attempt == 5 {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-time.After(time.Duration(attempt*attempt) * 50 * time.Millisecond):
		}
	}
}

func (d *Directory) applyFile(ctx context.Context, conn *pgx.Conn, schema string, state State) error {
	var next file
	for _, f := range d.files {
		if f.version == state.Pending[0] {
			next = f
		}
	}
	messages := []string{next.script(schema, state.Version)}
	if next.concurrent {
		pooled, err := entpgx.Pooled(ctx, conn)
		if err != nil {
			return err
		}
		if pooled {
			return fmt.Errorf("revision %s refuses a transaction, so it can't be applied to %s through a connection pooler: connect past it", next.version, schema)
		}
		messages = next.messages(schema, state.Version)
		defer func() { _ = conn.PgConn().Exec(context.WithoutCancel(ctx), afterMessages).Close() }()
	}
	for _, message := range messages {
		if err := conn.PgConn().Exec(ctx, message).Close(); err != nil {
			// In a failed multi-statement message the transaction stays open.
			if conn.PgConn().TxStatus() != 'I' {
				_ = conn.PgConn().Exec(ctx, "ROLLBACK").Close()
			}
			return fmt.Errorf("applying revision %s to %s: %w", next.version, schema, err)
		}
	}
	return nil
}

// raced is the SQLSTATE of our guard: another run has applied something since we looked.
const raced = "HR002"

func guard(schema, version string) string {
	return fmt.Sprintf(`DO $guard$ BEGIN
IF (SELECT coalesce(max(version), '') FROM %s.atlas_schema_revisions WHERE version NOT LIKE '.%%' AND applied = total) <> %s THEN
RAISE EXCEPTION 'another run was faster' USING ERRCODE = '%s';
END IF; END $guard$;
`, ident(schema), literal(version), raced)
}

// locks keeps the atlas command out and any other run of ours off this schema.
func locks(schema, scope string) string {
	return fmt.Sprintf("SELECT pg_advisory%s_lock_shared(%d);\nSELECT pg_advisory%s_lock(hashtextextended(%s, 0));\n",
		scope, commandLock, scope, literal("homeroom_migrate:"+schema))
}

// script is one message, one transaction: all of the file and its record, or nothing.
func (f file) script(schema, version string) string {
	var b strings.Builder
	b.WriteString("BEGIN;\nSET LOCAL lock_timeout = '3s';\nSET LOCAL statement_timeout = 0;\n")
	b.WriteString(locks(schema, "_xact"))
	setPath(&b, schema)
	b.WriteString(revisionsTable(schema))
	b.WriteString(guard(schema, version))
	f.write(&b, schema)
	b.WriteString(grants(schema))
	b.WriteString("COMMIT;\n")
	return b.String()
}

// messages sends each statement by itself, for those that refuse a transaction (CREATE INDEX
// CONCURRENTLY). A run that was cut off leaves the statements before the cut done; they must be
// written so that they may run again.
func (f file) messages(schema, version string) []string {
	before := "SET statement_timeout = 0;\nSET search_path = " + ident(schema) + ";\n" + revisionsTable(schema) + locks(schema, "")
	return slices.Concat([]string{before, guard(schema, version)}, f.statements, []string{f.record(schema), grants(schema)})
}

// afterMessages leaves the connection as messages found it.
const afterMessages = "SELECT pg_advisory_unlock_all(); RESET statement_timeout; RESET search_path"

func worthRetrying(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case raced, "55P03", "40P01", "40001": // lock_not_available, deadlock_detected, serialization_failure
		return true
	}
	return false
}

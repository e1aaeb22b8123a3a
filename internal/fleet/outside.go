package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// sums are the hashes by which the atlas command knows the statements of a file that it has begun:
// each is of all statements up to its own.
func (f file) sums() []string {
	sums, h := make([]string, len(f.statements)), sha256.New()
	for i, statement := range f.statements {
		h.Write([]byte(statement))
		sums[i] = "h1:" + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return sums
}

// check refuses a file whose statements were edited after they had been applied.
func (f file) check(begun *revision) error {
	if begun == nil {
		return nil
	}
	for i, sum := range f.sums() {
		if i < begun.applied && (i >= len(begun.sums) || begun.sums[i] != sum) {
			return &Failure{File: f.name, Statement: i + 1, Start: begins(f.statements[i]), Message: "this statement was edited after it had been applied"}
		}
	}
	if begun.applied > len(f.statements) {
		return &Failure{File: f.name, Message: "it has fewer statements than were applied of it"}
	}
	return nil
}

// outside applies a file outside a transaction, one statement at a time, for those that refuse one
// (CREATE INDEX CONCURRENTLY). After each it is recorded how far the file is, as the atlas command
// does, so that either goes on where the other was cut off.
func (c *climb) outside(ctx context.Context, f file) (err error) {
	start := time.Now()
	if pooled, err := isPooled(ctx, c.conn); err != nil {
		return err
	} else if pooled {
		return &Failure{File: f.name, Message: "a connection pooler is in front of this database: a file outside a transaction needs a URL without one"}
	}
	defer func() {
		_ = c.conn.PgConn().Exec(ctx, "SELECT pg_advisory_unlock_all();\n"+join(pristine)).Close()
		delete(c.conn.PgConn().CustomData(), holdName)
	}()
	if err := f.send(ctx, c.conn, f.opening(c.schema, c.origin())); err != nil {
		return err
	}
	first := 0
	if c.begun != nil {
		first = c.begun.applied
	}
	for i := first; i < len(f.statements); i++ {
		begun := c.begun
		if i > first {
			begun = nil
		}
		if err := f.statement(ctx, c.conn, c.schema, i, begun); err != nil {
			return errors.Join(err, f.note(ctx, c.conn, c.schema, i, err))
		}
	}
	return f.send(ctx, c.conn, []line{f.closing(c.schema, time.Since(start))})
}

// isPooled reports whether a pooler is in front of the server: it gives its own number for a process.
func isPooled(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid uint32
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid != conn.PgConn().PID(), err
}

// opening takes the schema for this connection and records that the file has begun.
func (f file) opening(schema string, from origin) []line {
	parts := []line{impatient, ours("SET statement_timeout = 0"), ours("SET search_path = %s", ident(schema)), locks(schema, ""), ours("BEGIN")}
	if from.bare {
		parts = append(parts, revisionsTable(schema))
	}
	return append(parts, locked(schema), pastOf(schema), checked(schema, check{from: from}), f.record(schema, 0, `
ON CONFLICT (version) DO UPDATE SET total = excluded.total, hash = excluded.hash`), ours("COMMIT"))
}

// closing records that the file is done.
func (f file) closing(schema string, took time.Duration) line {
	return ours(`UPDATE %s.atlas_schema_revisions SET partial_hashes = NULL, execution_time = %d WHERE version = %s`,
		ident(schema), took.Nanoseconds(), literal(f.version))
}

// recorded says that the first n statements are applied.
func (f file) recorded(schema string, n int) line {
	sums, _ := json.Marshal(f.sums()[:n]) //nolint:errchkjson // texts can be marshalled
	return ours(`UPDATE %s.atlas_schema_revisions SET applied = %d, partial_hashes = %s, error = NULL, error_stmt = NULL, executed_at = now() WHERE version = %s`,
		ident(schema), n, literal(string(sums)), literal(f.version))
}

// note records which statement failed, unless it may go well in a moment.
func (f file) note(ctx context.Context, conn *pgx.Conn, schema string, i int, failed error) error {
	if temporary(failed) {
		return nil
	}
	return f.send(ctx, conn, []line{ours(`UPDATE %s.atlas_schema_revisions SET error = %s, error_stmt = %s WHERE version = %s`,
		ident(schema), literal(failed.Error()), literal(f.statements[i]), literal(f.version))})
}

var (
	transactional = regexp.MustCompile(`(?is)^(ALTER\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|CREATE\s+TABLE|DROP\s+(INDEX|TABLE)|COMMENT\s+ON|INSERT|UPDATE|DELETE)\b`)
	concurrent    = regexp.MustCompile(`(?i)\bCONCURRENTLY\b`)
	ofIndex       = regexp.MustCompile(`(?is)^(?:(CREATE)\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+CONCURRENTLY\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?("(?:[^"]|"")+"|[\w$]+)\s*(?:;?$|\sON\s)`)

	// A statement that says CONCURRENTLY blocks nobody while it waits for others' transactions to end.
	patient   = ours("SET lock_timeout = '1min'")
	impatient = ours("SET lock_timeout = '3s'")
)

// steps apply a statement and record it: in one go, where it can be.
func (f file) steps(schema string, i int) (parts []line, atOnce bool) {
	text := f.statements[i]
	parts = []line{{text: text, number: i + 1}}
	waits := concurrent.MatchString(text)
	if waits {
		parts = []line{patient, parts[0], impatient}
	}
	if i == len(f.statements)-1 {
		parts = append(parts, ours("%s", grants(schema)))
	}
	parts = append(parts, f.recorded(schema, i+1))
	if !waits && transactional.MatchString(text) {
		return slices.Concat([]line{ours("BEGIN")}, parts, []line{ours("COMMIT")}), true
	}
	return parts, false
}

// statement applies one statement. begun is for the one at which an earlier run was cut off, or failed:
// it may be done and not recorded. Of an index that can be seen.
func (f file) statement(ctx context.Context, conn *pgx.Conn, schema string, i int, begun *revision) error {
	steps, atOnce := f.steps(schema, i)
	if atOnce {
		return f.send(ctx, conn, steps)
	}
	if words := ofIndex.FindStringSubmatch(f.statements[i]); words != nil {
		creates, name := words[1] != "", ident(schema)+"."+words[2]
		exists, valid, err := findIndex(ctx, conn, name)
		switch {
		case err != nil:
			return err
		case begun != nil && !begun.failed && (creates && valid || !creates && !exists):
			steps = steps[2:]
		case creates && exists && !valid: // IF NOT EXISTS would take it for one
			steps = slices.Concat([]line{f.recorded(schema, i), patient, ours("DROP INDEX CONCURRENTLY %s", name)}, steps)
		case begun != nil && begun.failed && exists != creates: // from here on it is cut off or done
			steps = slices.Concat([]line{f.recorded(schema, i)}, steps)
		}
	}
	for _, p := range steps {
		if err := f.send(ctx, conn, []line{p}); err != nil {
			return err
		}
	}
	return nil
}

// findIndex looks for an index; one that was cut off while it was made is not valid.
func findIndex(ctx context.Context, conn *pgx.Conn, name string) (exists, valid bool, err error) {
	err = conn.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_and(indisvalid), false) FROM pg_catalog.pg_index WHERE indexrelid = to_regclass($1)`,
		pgx.QueryExecModeExec, name).Scan(&exists, &valid)
	if err != nil {
		return false, false, fmt.Errorf("looking for an index: %w", err)
	}
	return exists, valid, nil
}

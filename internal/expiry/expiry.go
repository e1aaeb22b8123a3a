// Package expiry removes what has had its time. Nothing depends on it: what has ended counts no more, whether it
// is still there or not.
package expiry

import (
	"context"
	"database/sql"
)

// DB runs statements where the tables are; the clients of both graphs do. What both have is the same there, so one
// piece of SQL serves them, and PostgreSQL's clock all replicas.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// most is how many rows one statement takes. Those that somebody is at work with wait for the next time.
const most = 1000

// both are the statements on what both graphs have.
var both = []string{
	"DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
	"DELETE FROM login_limits WHERE id IN (SELECT id FROM login_limits WHERE ends_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
	"DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
}

// invitations are those that nobody has accepted. It leaves updated_at alone: the user has not changed.
const invitations = `UPDATE users SET invite_hash = NULL, invite_expires_at = NULL
WHERE id IN (SELECT id FROM users WHERE invite_expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)`

// Platform removes from the platform's tables the refresh tokens, the counts of attempts to log in and the answers
// kept for idempotency keys that have ended.
func Platform(ctx context.Context, db DB) error {
	for _, statement := range both {
		if err := remove(ctx, db, statement); err != nil {
			return err
		}
	}
	return nil
}

// School is Platform for the tables of a school, whose users may have invitations too.
func School(ctx context.Context, db DB) error {
	if err := Platform(ctx, db); err != nil {
		return err
	}
	return remove(ctx, db, invitations)
}

// remove repeats a statement until there is no more for it to do.
func remove(ctx context.Context, db DB, statement string) error {
	for {
		result, err := db.ExecContext(ctx, statement, most)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < most {
			return err
		}
	}
}

package idempotency

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// DB runs statements where idempotency_keys is; the clients of both graphs do. That table is the same in
// both, so one piece of SQL serves them, and PostgreSQL's clock all replicas.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// store is the row of one principal's key.
type store struct {
	db        DB
	principal string
	key       [sha256.Size]byte
}

// claim is the id of a row whose request is at work.
type claim uuid.UUID

// secret opens the answer: the key, which is not in the database, for this principal.
func (s store) secret(key string) string { return s.principal + "\n" + key }

const claimSQL = `INSERT INTO idempotency_keys AS k (id, principal, key_hash, request_hash, busy_until, expires_at)
VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second', now() + $6 * interval '1 second')
ON CONFLICT (principal, key_hash) DO UPDATE
SET id = excluded.id, request_hash = excluded.request_hash, answer = NULL, busy_until = excluded.busy_until,
	expires_at = excluded.expires_at, created_at = now(), updated_at = now()
WHERE k.expires_at <= now()`

// claim takes the key for a request; nil if it is taken. Of many at once one gets it.
func (s store) claim(ctx context.Context, request []byte) (*claim, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	result, err := s.db.ExecContext(ctx, claimSQL, id, s.principal, s.key[:], request, busy.Seconds(), life.Seconds())
	if err != nil {
		return nil, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return nil, err
	}
	return (*claim)(&id), nil
}

// look returns the sealed answer to the request that took the key, if this is the same and done.
func (s store) look(ctx context.Context, request []byte) (sealed []byte, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT request_hash, answer, busy_until > now() FROM idempotency_keys WHERE principal = $1 AND key_hash = $2", s.principal, s.key[:])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var first []byte
	atWork := true // a row that is gone by now was let go of: it may be tried again
	if rows.Next() {
		if err := rows.Scan(&first, &sealed, &atWork); err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(first, request) != 1 {
			return nil, fault.Invalid("header."+name, "was used for another request; a new request takes a new key")
		}
	}
	switch {
	case rows.Err() != nil:
		return nil, rows.Err()
	case sealed != nil:
		return sealed, nil
	case atWork:
		f := conflict("A request with this key is at work. Its answer is there in a moment.")
		f.RetryAfter = time.Second
		return nil, f
	}
	return nil, conflict("A request with this key was cut off, and what it has done is unknown. Look, and use a new key if it has to be done.")
}

// keep takes a few expired rows along: those of a busy school go as fast as they come.
const keepSQL = `WITH expired AS (
	DELETE FROM idempotency_keys WHERE id IN (
		SELECT id FROM idempotency_keys WHERE expires_at <= now() ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED))
UPDATE idempotency_keys SET answer = $2, updated_at = now() WHERE id = $1`

func (s store) keep(ctx context.Context, id claim, sealed []byte) error {
	_, err := s.db.ExecContext(ctx, keepSQL, uuid.UUID(id), sealed)
	return err
}

// abandon leaves the key as that of a request that was cut off, at once.
func (s store) abandon(ctx context.Context, id claim) error {
	_, err := s.db.ExecContext(ctx, "UPDATE idempotency_keys SET busy_until = now(), updated_at = now() WHERE id = $1", uuid.UUID(id))
	return err
}

// release lets the next request with the key try.
func (s store) release(ctx context.Context, id claim) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM idempotency_keys WHERE id = $1", uuid.UUID(id))
	return err
}

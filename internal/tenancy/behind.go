package tenancy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// What a school may cost that is behind by what public.clients says of it: one question to its own
// schema in a while, however many requests it gets.
const (
	ownAge  = 2 * time.Second // how long the answer counts
	ownTime = time.Second     // how long it may take
)

// revisions are what a school's own said when they were last asked.
type revisions struct {
	mu    sync.Mutex // held while they are asked: whoever comes meanwhile waits for the answer
	asked time.Time
	err   error
}

// admitted returns a school that was found if it can be served.
func admitted(ctx context.Context, found *Tenant, err error) (*Tenant, error) {
	if err == nil && found.admit != nil {
		err = found.admit(ctx)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// caughtUp returns nil if a school that should be behind has what the program requires. public.clients
// is a cache: the atlas command, which also brings schools up, does not write it.
func (r *Registry) caughtUp(ctx context.Context, s *publicdb.School, own *revisions) error {
	own.mu.Lock()
	defer own.mu.Unlock()
	if time.Since(own.asked) < ownAge {
		return own.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownTime)
	defer cancel()
	version, err := r.ownVersion(ctx, s)
	if err == nil && version < r.options.Requires {
		err = &fault.Error{Kind: fault.SchoolUnavailable, Message: "The school's tables are being brought up to date.", RetryAfter: 5 * time.Second}
	}
	own.asked, own.err = time.Now(), err
	return err
}

// ownVersion returns the last revision that was applied to a school's schema, "" before the first.
func (r *Registry) ownVersion(ctx context.Context, s *publicdb.School) (version string, err error) {
	var rows entsql.Rows
	// As the login: a school's role has no right to its revisions.
	err = r.on(DatabaseOf(s)).Driver(scope(s.SchemaName)).Query(ctx, `SELECT version FROM atlas_schema_revisions
		WHERE version NOT LIKE '.%' AND applied = total AND coalesce(error, '') = '' ORDER BY version COLLATE "C" DESC LIMIT 1`, []any{}, &rows)
	if postgres.IsUndefined(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading a school's revisions: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed
	if rows.Next() {
		err = rows.Scan(&version)
	}
	return version, errors.Join(err, rows.Err())
}

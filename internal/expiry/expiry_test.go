package expiry_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/expiry"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// database is a client of either graph.
type database interface {
	expiry.DB
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// fill writes rows that end at whole hours from now: more behind us than one statement takes, and two before us.
// OWNER is whose refresh tokens they are.
const fill = `CREATE TEMP TABLE hours AS SELECT generate_series(-2500, -1) AS n UNION ALL VALUES (1), (2);
INSERT INTO refresh_tokens (id, family, secret_hash, expires_at, OWNER_id)
	SELECT gen_random_uuid(), gen_random_uuid(), '', now() + n * interval '1 hour', (SELECT id FROM OWNERs LIMIT 1) FROM hours;
INSERT INTO login_limits (id, subject, attempts, ends_at) SELECT gen_random_uuid(), n::text::bytea, 1, now() + n * interval '1 hour' FROM hours;
INSERT INTO idempotency_keys (id, principal, key_hash, request_hash, busy_until, expires_at)
	SELECT gen_random_uuid(), 'x', n::text::bytea, '', now(), now() + n * interval '1 hour' FROM hours;
DROP TABLE hours`

const count = "SELECT concat_ws(' ', (SELECT count(*) FROM refresh_tokens), (SELECT count(*) FROM login_limits), (SELECT count(*) FROM idempotency_keys))"

func one(t *testing.T, db database, query string) (text string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	for rows.Next() {
		must(t, rows.Scan(&text))
	}
	must(t, rows.Err())
	return text
}

// removes holds that what has ended goes, all of it, and nothing else.
func removes(t *testing.T, db database, owner string, do func() error) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), strings.ReplaceAll(fill, "OWNER", owner))
	must(t, err)
	must(t, do())
	if left := one(t, db, count); left != "2 2 2" {
		t.Errorf("left of tokens, limits and keys: %s", left)
	}
	must(t, do()) // where there is nothing to do
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	db := testkit.Registry(t).Public()
	db.Operator.Create().SetEmail("ada@example.org").SetFullName("Ada").SetRole("viewer").ExecX(t.Context())
	removes(t, db, "operator", func() error { return expiry.Platform(t.Context(), db) })
}

func TestSchool(t *testing.T) {
	t.Parallel()
	db := testkit.School(t)
	long := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	for email, ends := range map[string]time.Duration{"late@example.org": -time.Minute, "open@example.org": time.Hour} {
		db.User.Create().SetEmail(email).SetFullName("Ada").SetRole("admin").SetInviteHash([]byte("x")).SetInviteExpiresAt(time.Now().Add(ends)).SetUpdatedAt(long).ExecX(t.Context())
	}
	removes(t, db, "user", func() error { return expiry.School(t.Context(), db) })
	for _, user := range db.User.Query().AllX(t.Context()) {
		open := user.InviteHash != nil && user.InviteExpiresAt != nil
		if open != (user.Email == "open@example.org") || !user.UpdatedAt.Equal(long) {
			t.Errorf("%s: invited until %v, changed at %v", user.Email, user.InviteExpiresAt, user.UpdatedAt)
		}
	}
}

func TestRowsAtWorkAreLeft(t *testing.T) {
	t.Parallel()
	db := testkit.Registry(t).Public()
	db.LoginLimit.Create().SetSubject([]byte("x")).SetAttempts(1).SetEndsAt(time.Now().Add(-time.Hour)).ExecX(t.Context())
	tx, err := db.Tx(t.Context())
	must(t, err)
	tx.LoginLimit.Update().SetAttempts(2).ExecX(t.Context())
	must(t, expiry.Platform(t.Context(), db)) // without waiting
	must(t, tx.Commit())
	if n := db.LoginLimit.Query().CountX(t.Context()); n != 1 {
		t.Errorf("%d rows", n)
	}
}

package tenancy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

const keyID = "0192f0c1-0000-7000-8000-000000000001"

// key is what a replica knows of the API key: its role, and whether it is revoked.
func (r replica) key() string {
	row, err := r.APIKey(context.Background(), uuid.MustParse(keyID))
	switch {
	case publicdb.IsNotFound(err):
		return "none"
	case err != nil:
		return err.Error()
	case row.RevokedAt != nil:
		return "revoked"
	}
	return row.Role.String()
}

// rememberKey waits until a replica answers without asking.
func (r replica) rememberKey(t *testing.T) {
	t.Helper()
	eventually(t, "the key is remembered", func() bool {
		r.key()
		before := r.pool.acquired.Load()
		r.key()
		return r.pool.acquired.Load() == before
	})
}

const insertKey = "INSERT INTO public.api_keys (id, name, role, secret_hash) VALUES ('" + keyID + "', 'x', 'owner', '');"

// A key that is changed, also with psql, is so on every replica, soon.
func TestKeyChangesAreHeard(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	run(t, conn, insertKey)
	for _, c := range []struct{ change, want string }{
		{"UPDATE public.api_keys SET role = 'viewer'", "viewer"},
		{"UPDATE public.api_keys SET revoked_at = now()", "revoked"},
		{"UPDATE public.api_keys SET revoked_at = NULL, last_used_at = now()", "viewer"},
		{"DELETE FROM public.api_keys", "none"},
		{insertKey, "owner"},
		{"TRUNCATE public.api_keys", "none"},
	} {
		for _, r := range all {
			if r.key() != "none" {
				r.rememberKey(t)
			}
		}
		run(t, conn, c.change)
		for i, r := range all {
			took := eventually(t, fmt.Sprintf("%s: %s on replica %d", c.change, c.want, i), func() bool { return r.key() == c.want })
			t.Logf("%s: within %s", c.change, took)
		}
	}
}

// Whoever has revoked a key through the registry finds it revoked at once.
func TestOwnRevocationIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r, ctx := all[0], t.Context()
	run(t, conn, insertKey)
	for i := range 100 {
		r.rememberKey(t)
		want := "revoked"
		must(t, r.InTx(ctx, func(tx *tenancy.Tx) error {
			if i%2 == 1 {
				want = "owner"
				return tx.Public().APIKey.Update().ClearRevokedAt().Exec(ctx)
			}
			return tx.Public().APIKey.Update().SetRevokedAt(time.Now()).Exec(ctx)
		}))
		if got := r.key(); got != want {
			t.Fatalf("change %d: %s, not %s", i, got, want)
		}
	}
}

// Keys are believed only while changes are heard: not before, not when the connection is lost, and not
// while the database is away. That there is none is never remembered.
func TestKeysThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	asks := func(what, want string) {
		t.Helper()
		before := r.pool.acquired.Load()
		if got := r.key(); got != want || r.pool.acquired.Load() == before {
			t.Errorf("%s: %s, not %s, or without asking", what, got, want)
		}
	}
	asks("no key", "none")
	asks("still no key", "none")
	run(t, conn, insertKey)
	asks("a key at last", "owner")
	r.rememberKey(t)
	r.Beat(tenancy.RowBeats - 1)
	r.rememberKey(t)
	run(t, conn, "SET session_replication_role = replica; UPDATE public.api_keys SET role = 'viewer'; RESET session_replication_role") // without triggers
	if got := r.key(); got != "owner" {
		t.Errorf("before its time has passed: %s", got)
	}
	r.Beat(tenancy.RowBeats)
	asks("a message was lost", "viewer")
	r.rememberKey(t)
	const lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom listener';"
	run(t, conn, lose+"UPDATE public.api_keys SET revoked_at = now()") // in one transaction: nobody hears it
	eventually(t, "what nobody heard", func() bool { return r.key() == "revoked" })
	eventually(t, "it hears again", r.Trusts)
	if got := r.key(); got != "revoked" {
		t.Errorf("what was remembered before is believed again: %s", got)
	}
	r.rememberKey(t)
	r.pool.gone.Store(true)
	run(t, conn, lose)
	eventually(t, "the database is away", r.CutOff)
	if got := r.key(); got == "revoked" {
		t.Error("a key is answered from memory while the database is away")
	}

	deaf, pool := overPool(t, conn.Config().ConnString())
	t.Cleanup(func() { must(t, deaf.Close()) })
	r = replica{deaf, pool}
	asks("nobody listens", "revoked")
	asks("still nobody", "revoked")
}

package tenancy_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// behindPooler returns a registry whose queries go through PgBouncer, and a connection that does not.
func behindPooler(t *testing.T, direct func(url string) string) (*tenancy.Registry, *pgx.Conn) {
	t.Helper()
	url := testkit.Database(t)
	registry := tenancy.New(testkit.Pools(t, testkit.Pooler(t, url)+"&pool_mode=transaction"), tenancy.Options{Roles: true, Direct: direct(url)})
	t.Cleanup(func() { must(t, registry.Close()) })
	must(t, registry.OnConn(t.Context(), postgres.Primary, func(conn *pgx.Conn) error {
		if pooled, err := entpgx.Pooled(t.Context(), conn); err != nil || !pooled {
			t.Errorf("its queries go past the pooler (%v)", err)
		}
		return nil
	}))
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close(context.Background())) })
	run(t, conn, insertSchool("oak", "oak.example"))
	return registry, conn
}

func hostOf(registry *tenancy.Registry) string {
	return outcome(registry.ByHost(context.Background(), "oak.example"))
}

// Behind a pooler changes are heard past it, as fast as without one.
func TestHeardPastThePooler(t *testing.T) {
	t.Parallel()
	registry, conn := behindPooler(t, func(url string) string { return url })
	listen(t, registry)
	took := make([]time.Duration, 21)
	for i := range took {
		want, change := "oak", "UPDATE public.clients SET is_active = true"
		if i%2 == 0 {
			want, change = "school-inactive", "UPDATE public.clients SET is_active = false"
		}
		hostOf(registry) // so that it is remembered
		run(t, conn, change)
		took[i] = eventually(t, change, func() bool { return hostOf(registry) == want })
	}
	slices.Sort(took)
	if typical := took[len(took)/2]; typical > 100*time.Millisecond {
		t.Errorf("heard after %s", typical)
	}
	t.Logf("heard within %s to %s", took[0], took[len(took)-1])
	must(t, registry.OnSession(t.Context(), postgres.Primary, func(conn *pgx.Conn) error {
		if pooled, err := entpgx.Pooled(t.Context(), conn); err != nil || pooled {
			t.Errorf("a session goes through the pooler (%v)", err)
		}
		return nil
	}))
}

// Where no way past the pooler is known, nothing is remembered and there are no sessions.
func TestDeafBehindThePooler(t *testing.T) {
	t.Parallel()
	registry, conn := behindPooler(t, func(string) string { return "" })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- registry.Run(ctx) }()
	for i := range 50 {
		want, change := "oak", "UPDATE public.clients SET is_active = true"
		if i%2 == 0 {
			want, change = "school-inactive", "UPDATE public.clients SET is_active = false"
		}
		run(t, conn, change)
		if got := hostOf(registry); got != want || registry.Trusts() {
			t.Fatalf("%s after %s", got, change)
		}
	}
	stop()
	must(t, <-done)
	err := registry.OnSession(t.Context(), postgres.Primary, func(*pgx.Conn) error { t.Error("a session through a pooler"); return nil })
	if !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

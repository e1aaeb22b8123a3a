package tenancy_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A change made with psql is what every replica answers with, soon.
func TestChangesAreHeard(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	run(t, conn, insertSchool("oak", "oak.example")+insertSchool("elm", "elm.example"))
	var longest time.Duration
	const phone, user = "+2348012345678", "US.13491208655302741918"
	for _, c := range []struct{ change, key, want string }{
		{"SELECT 1", "new.example", "unknown-host"},
		{"INSERT INTO public.domains (id, domain, tenant_id) SELECT gen_random_uuid(), 'new.example', id FROM public.clients WHERE code = 'oak'", "new.example", "oak"},
		{"UPDATE public.domains SET tenant_id = (SELECT id FROM public.clients WHERE code = 'elm') WHERE domain = 'new.example'", "new.example", "elm"},
		{"UPDATE public.domains SET domain = 'newer.example' WHERE domain = 'new.example'", "new.example", "unknown-host"},
		{"SELECT 1", "newer.example", "elm"},
		{"DELETE FROM public.domains WHERE domain = 'newer.example'", "newer.example", "unknown-host"},
		{"UPDATE public.clients SET is_active = false WHERE code = 'oak'", "oak.example", "school-inactive"},
		{"UPDATE public.clients SET is_active = true WHERE code = 'oak'", "oak.example", "oak"},
		{"UPDATE public.clients SET state = 'deleted', deleted_at = now() WHERE code = 'oak'", "oak.example", "unknown-host"},
		{"UPDATE public.clients SET state = 'ready', deleted_at = NULL WHERE code = 'oak'", "oak.example", "oak"},
		{"UPDATE public.clients SET state = 'moving' WHERE code = 'oak'", "oak.example", "school-unavailable"},
		{"UPDATE public.clients SET state = 'ready', code = 'oak-2' WHERE code = 'oak'", "oak.example", "oak-2"},
		{"SELECT 1", phone, "not-found"},
		{"INSERT INTO public.whatsapp_contacts (id, phone, whatsapp_user_id, school_id) SELECT gen_random_uuid(), '" + phone + "', '" + user + "', id FROM public.clients WHERE code = 'oak-2'", phone, "oak-2"},
		{"SELECT 1", user, "oak-2"},
		{"UPDATE public.whatsapp_contacts SET school_id = (SELECT id FROM public.clients WHERE code = 'elm')", phone, "elm"},
		{"SELECT 1", user, "elm"},
		{"UPDATE public.whatsapp_contacts SET whatsapp_user_id = NULL", user, "not-found"},
		{"UPDATE public.clients SET state = 'deleted', deleted_at = now() WHERE code = 'elm'", phone, "not-found"},
		{"DELETE FROM public.clients WHERE code = 'oak-2'", "oak.example", "unknown-host"},
		{insertSchool("ash", "oak.example"), "oak.example", "ash"},
		{"TRUNCATE public.clients CASCADE", "oak.example", "unknown-host"},
	} {
		look := replica.host
		if c.key == phone || c.key == user {
			look = replica.contact
		}
		for _, r := range all {
			look(r, c.key) // so that it is remembered
		}
		run(t, conn, c.change)
		for i, r := range all {
			took := eventually(t, fmt.Sprintf("%s: %q on replica %d", c.change, c.key, i), func() bool { return look(r, c.key) == c.want })
			if took > 2*time.Second {
				t.Errorf("%s: only after %s", c.change, took)
			}
			longest = max(longest, took)
		}
	}
	t.Logf("heard within %s", longest)
}

// Whoever has changed something through the registry finds it changed at once.
func TestOwnChangesAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r, ctx := all[0], t.Context()
	run(t, conn, insertSchool("oak", "oak.example"))
	r.remember(t, "oak.example")
	var longest time.Duration
	for i := range 200 {
		active := i%2 == 1
		start := time.Now()
		must(t, r.InTx(ctx, func(tx *tenancy.Tx) error {
			return tx.Public().School.Update().SetIsActive(active).Exec(ctx)
		}))
		longest = max(longest, time.Since(start))
		if got := r.host("oak.example"); (got == "oak") != active {
			t.Fatalf("change %d: %s", i, got)
		}
	}
	t.Logf("a change took %s at most", longest)
}

// What is remembered costs the database nothing, and what changed while nobody listened is not
// believed.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	run(t, conn, insertSchool("oak", "oak.example"))
	r.remember(t, "oak.example")
	before := r.pool.acquired.Load()
	for range 100 {
		if got := r.host("OAK.example:443"); got != "oak" {
			t.Fatal(got)
		}
		r.host("elm.example")
	}
	if n := r.pool.acquired.Load() - before; n != 1 {
		t.Errorf("200 look-ups of two hosts: %d queries", n)
	}
	for range 5 {
		for _, c := range []struct{ active, want string }{{"false", "school-inactive"}, {"true", "oak"}} {
			// Both in one transaction: the message goes to nobody.
			run(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom listener';"+
				"UPDATE public.clients SET is_active = "+c.active)
			took := eventually(t, "what nobody heard", func() bool { return r.host("oak.example") == c.want })
			t.Logf("right after %s", took)
			eventually(t, "it hears again", r.Trusts)
		}
	}
}

// While the database is away, what was known is served without asking; when it is back, nothing is
// believed unread.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	run(t, conn, insertSchool("oak", "oak.example")+insertSchool("elm", "elm.example"))
	r.remember(t, "oak.example")
	r.pool.gone.Store(true)
	run(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom listener'")
	for !r.CutOff() {
		if got := r.host("oak.example"); got != "oak" {
			t.Fatal(got)
		}
	}
	run(t, conn, "UPDATE public.clients SET is_active = false")
	before := r.pool.acquired.Load()
	for range 100 {
		if got := r.host("oak.example"); got != "oak" {
			t.Fatal(got)
		}
	}
	if n := r.pool.acquired.Load() - before; n != 0 {
		t.Errorf("%d questions to a database that is away", n)
	}
	if got := r.host("elm.example"); got != "database-unavailable" {
		t.Errorf("a host that was not known: %s", got)
	}
	r.pool.gone.Store(false)
	took := eventually(t, "back", func() bool { return r.host("oak.example") == "school-inactive" })
	t.Logf("read anew %s after it was back", took)
}

// A flood of made-up hosts costs little memory and few queries, pushes out no school, and lets one
// through that was not known yet.
func TestFlood(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	run(t, conn, insertSchool("oak", "oak.example")+insertSchool("elm", "elm.example"))
	r.remember(t, "oak.example")
	before, start := r.pool.acquired.Load(), time.Now()
	var flood errgroup.Group
	var made, refused atomic.Int64
	midst := make(chan struct{})
	for range 400 {
		flood.Go(func() error {
			for n := made.Add(1); n <= 10_000; n = made.Add(1) {
				if n == 5_000 {
					close(midst)
				}
				switch got := r.host(fmt.Sprintf("made-up-%d.example", n)); got {
				case "database-unavailable":
					refused.Add(1)
				case "unknown-host":
				default:
					return fmt.Errorf("a made-up host: %s", got)
				}
			}
			return nil
		})
	}
	<-midst
	asked := time.Now()
	if got := r.host("elm.example"); got != "elm" {
		t.Errorf("a school that was not known yet: %s", got)
	}
	waited := time.Since(asked)
	must(t, flood.Wait())
	queries := r.pool.acquired.Load() - before
	known, unknown := r.Remembered()
	t.Logf("10,000 made-up hosts in %s: %d queries, %d refused; a new school waited %s; remembered: %d and %d", time.Since(start), queries, refused.Load(), waited, known, unknown)
	if queries > 200 || known != 2 || unknown > tenancy.MostUnknown {
		t.Errorf("%d queries, %d known, %d unknown", queries, known, unknown)
	}
	if before := r.pool.acquired.Load(); r.host("oak.example") != "oak" || r.pool.acquired.Load() != before {
		t.Error("the flood has pushed a school out")
	}
}

// Whatever is changed and asked for in whatever order, in the end what is remembered is what is so.
func TestMemoryIsTrue(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	hosts := []string{"a.example", "b.example", "c.example"}
	rapid.Check(t, func(rt *rapid.T) {
		run(t, conn, "DELETE FROM public.clients;"+insertSchool("oak", "a.example")+insertSchool("elm", "b.example"))
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			host, code := rapid.SampledFrom(hosts).Draw(rt, "host"), rapid.SampledFrom([]string{"oak", "elm"}).Draw(rt, "code")
			school := "(SELECT id FROM public.clients WHERE code = '" + code + "')"
			switch step := rapid.IntRange(0, 6).Draw(rt, "step"); step {
			case 0:
				run(t, conn, "INSERT INTO public.domains (id, domain, tenant_id) SELECT gen_random_uuid(), '"+host+"', id FROM public.clients WHERE code = '"+code+"' ON CONFLICT DO NOTHING")
			case 1:
				run(t, conn, "DELETE FROM public.domains WHERE domain = '"+host+"'")
			case 2:
				run(t, conn, "UPDATE public.domains SET tenant_id = "+school+" WHERE domain = '"+host+"'")
			case 3:
				run(t, conn, "UPDATE public.clients SET is_active = NOT is_active WHERE code = '"+code+"'")
			default:
				all[step%2].host(host)
			}
		}
		for _, host := range hosts {
			want := outcome(tenancy.NewOver(all[0].pool.pools, all[0].pool, all[0].pool.connConfig).ByHost(context.Background(), host))
			for _, r := range all {
				eventually(t, "what is so of "+host, func() bool { return r.host(host) == want })
			}
		}
	})
}

// A registry may be closed while requests still ask it: a drain does not wait for ever.
func TestCloseBesideLookUps(t *testing.T) {
	t.Parallel()
	all, _ := replicas(t, 1)
	r := all[0]
	ctx, stop := context.WithCancel(t.Context())
	var closing sync.WaitGroup
	for range 8 {
		closing.Go(func() {
			for ctx.Err() == nil {
				_ = r.Close()
			}
		})
	}
	for i := range 1000 {
		r.host(fmt.Sprintf("made-up-%d.example", i))
	}
	stop()
	closing.Wait()
}

// TestRunEnds holds that a registry that stops leaves nothing behind. It does not run beside others.
func TestRunEnds(t *testing.T) { //nolint:paralleltest // it counts goroutines
	pools, err := postgres.NewPools(testkit.Database(t), 2)
	must(t, err)
	t.Cleanup(pools.Close)
	primary := pools.Database(postgres.Primary)
	must(t, primary.With(t.Context(), func(*pgx.Conn) error { // all that there may be are open
		return primary.With(t.Context(), func(*pgx.Conn) error { return nil })
	}))
	before := goleak.IgnoreCurrent()
	registry := tenancy.New(pools, tenancy.Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- registry.Run(ctx) }()
	eventually(t, "it hears", registry.Trusts)
	for i := range 100 {
		_, _ = registry.ByHost(ctx, fmt.Sprintf("made-up-%d.example", i))
	}
	stop()
	must(t, <-done)
	must(t, registry.Close())
	// A connection of the pools, which go on, reads beside a write that is slow.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn/internal/bgreader.(*BGReader).bgRead"))
	if registry.Trusts() {
		t.Error("it is believed though nobody listens")
	}
}

package tenancy_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// insertBehind is SQL that makes a school whose schema is at a revision, and whose row says so.
func insertBehind(code, host, version string) string {
	return insertSchool(code, host) + strings.NewReplacer("CODE", code, "VERSION", version).Replace(`
CREATE SCHEMA school_CODE;
CREATE TABLE school_CODE.atlas_schema_revisions (version varchar PRIMARY KEY, applied bigint NOT NULL, total bigint NOT NULL, error text);
INSERT INTO school_CODE.atlas_schema_revisions VALUES ('.atlas_cloud_identifier', 0, 0, NULL), ('VERSION', 1, 1, ''), ('2-half', 1, 2, 'no');
UPDATE public.clients SET schema_version = 'VERSION' WHERE code = 'CODE';`)
}

// A school that has not got what the program requires is refused, and it alone. Once it has been brought
// up it is served: at once where that was announced, in a moment where only its own revisions say so.
func TestBehind(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	run(t, conn, insertBehind("oak", "oak.example", "1")+insertBehind("elm", "elm.example", "1")+insertBehind("ash", "ash.example", "2")+insertBehind("yew", "yew.example", "3")+
		insertSchool("fir", "fir.example")+insertSchool("far", "far.example")+`UPDATE public.clients SET database = 'nowhere' WHERE code = 'far';
INSERT INTO public.databases (id, name, url) VALUES (gen_random_uuid(), 'nowhere', 'postgres://nobody@127.0.0.1:1/none');
INSERT INTO public.whatsapp_contacts (id, phone, school_id) SELECT gen_random_uuid(), '+2348012345678', id FROM public.clients WHERE code = 'oak'`)
	for _, r := range all {
		r.Require("2")
		for range 3 {
			for host, want := range map[string]string{
				"oak.example": "school-unavailable", "elm.example": "school-unavailable", "ash.example": "ash", "yew.example": "yew",
				"fir.example": "school-unavailable", "far.example": "database-unavailable",
			} {
				if got := r.host(host); got != want {
					t.Errorf("%s: %s, want %s", host, got, want)
				}
			}
			if got := r.contact("+2348012345678"); got != "school-unavailable" {
				t.Errorf("by contact: %s", got)
			}
		}
		if _, err := r.ByHost(t.Context(), "oak.example"); fault.Of(err).RetryAfter == 0 {
			t.Errorf("%v says not when to try again", err)
		}
	}
	for _, r := range all {
		r.remember(t, "oak.example")
		r.remember(t, "elm.example")
	}
	run(t, conn, "UPDATE public.clients SET schema_version = '2' WHERE code = 'elm'")
	for i, r := range all {
		took := eventually(t, "the school that was announced", func() bool { return r.host("elm.example") == "elm" })
		if took > 2*time.Second {
			t.Errorf("replica %d: only after %s", i, took)
		}
		t.Logf("announced: after %s", took)
	}
	run(t, conn, "INSERT INTO school_oak.atlas_schema_revisions VALUES ('2', 1, 1, '')")
	for _, r := range all {
		t.Logf("not announced: after %s", eventually(t, "the school that was brought up by another tool", func() bool { return r.host("oak.example") == "oak" }))
	}
}

// However many requests a school gets that is behind, its schema is asked once at a time and once in a
// while, and the primary database not at all.
func TestFloodOnABehindSchool(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	run(t, conn, insertBehind("oak", "oak.example", "1"))
	r.Require("2")
	run(t, conn, "BEGIN; LOCK TABLE school_oak.atlas_schema_revisions")
	waiting := func() (n int) {
		must(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'school_oak.atlas_schema_revisions'::regclass").Scan(&n))
		return n
	}
	var flood errgroup.Group
	for range 200 {
		flood.Go(func() error {
			r.host("oak.example")
			return nil
		})
	}
	eventually(t, "the schema is asked", func() bool { return waiting() > 0 })
	if n := waiting(); n > 1 {
		t.Errorf("%d ask at once", n)
	}
	run(t, conn, "COMMIT")
	must(t, flood.Wait())

	r.remember(t, "oak.example")
	eventually(t, "the answer is there", func() bool { return r.host("oak.example") == "school-unavailable" })
	run(t, conn, "BEGIN; LOCK TABLE school_oak.atlas_schema_revisions")
	before, start := r.pool.acquired.Load(), time.Now()
	n := 0
	for ; time.Since(start) < 200*time.Millisecond; n++ {
		if got := r.host("oak.example"); got != "school-unavailable" {
			t.Fatal(got)
		}
	}
	t.Logf("%d requests in 200 ms", n)
	if asked := r.pool.acquired.Load() - before; asked != 0 || waiting() != 0 || n < 100 {
		t.Errorf("%d questions to primary, %d to the school, %d requests", asked, waiting(), n)
	}
	run(t, conn, "COMMIT")
}

package platform_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// behindPooler returns a platform whose queries go through PgBouncer, with the database north registered on
// a second server, behind another, and the URL of that server past it.
func behindPooler(t *testing.T, way bool) (p place, second string) {
	t.Helper()
	p.url = testkit.Database(t)
	options := tenancy.Options{Roles: true}
	server, _ := testkit.SecondServer(t)
	testkit.On(t, server.URL("postgres"), "CREATE DATABASE north")
	second = server.URL("north")
	north := testkit.Pooler(t, second) + "&pool_mode=transaction"
	if way {
		options.Direct = p.url
		u, err := url.Parse(second)
		must(t, err)
		north += "&direct=" + url.QueryEscape(u.Query().Get("host")+":"+u.Query().Get("port"))
	}
	p.registry = tenancy.New(testkit.Pools(t, testkit.Pooler(t, p.url)+"&pool_mode=transaction"), options)
	t.Cleanup(func() { must(t, p.registry.Close()) })
	p.Platform = platform.New(p.registry, testkit.Tenant(t), platform.Settings{BaseDomain: "base.example", TenantRoles: true}, time.Now)
	_, err := p.AddDatabase(t.Context(), platform.Shell, platform.NewDatabase{Name: "north", DatabaseChange: platform.DatabaseChange{URL: north, IsActive: true}})
	must(t, err)
	return p, second
}

const locks = "SELECT classid || ' ' || objid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

// Behind poolers schools are made everywhere, finished after a crash and purged, and no lock stays.
func TestPlacementsBehindPoolers(t *testing.T) {
	t.Parallel()
	p, second := behindPooler(t, true)
	ctx := t.Context()
	for _, n := range []platform.NewSchool{
		{Code: "here"},
		{Code: "there", Database: "north"},
		{Code: "own", Database: "north", Isolation: "database"},
		{Code: "own-" + uuid.NewString()[:13], Isolation: "database"},
	} {
		n.Name = "New"
		n.Fill = func(tx *tenancy.Tx, row *publicdb.School) error { return addStudent(ctx, tx, row) }
		row, err := p.Create(ctx, platform.Shell, n)
		if err != nil {
			t.Errorf("%s: %v", n.Code, err)
			continue
		}
		if n.Code != "here" { // as a crash before the last step leaves it
			p.registry.Public().School.UpdateOne(row).SetState("provisioning").ExecX(ctx)
			must(t, p.Recover(ctx))
		}
		row, err = p.School(ctx, row.ID)
		must(t, err)
		if found := p.students(t, row); found != 1 || row.State != "ready" {
			t.Errorf("%s: %d students, %s", n.Code, found, row.State)
		}
		for _, url := range []string{p.url, second} {
			if left := list(t, url, locks); len(left) > 0 {
				t.Errorf("%s: locks are left: %v", n.Code, left)
			}
		}
		must(t, p.Purge(ctx, platform.Shell, row.ID, n.Code))
	}
	if left := append(list(t, second, schemas), list(t, second, databases)...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{"north", postgres.Primary} {
		checks, err := p.CheckDatabase(ctx, name)
		must(t, err)
		for _, check := range checks {
			if !check.OK {
				t.Errorf("%+v", check)
			}
		}
	}
}

// Where no way past a pooler is known, what needs one is refused and leaves nothing; the rest goes on.
func TestNoWayPastThePooler(t *testing.T) {
	t.Parallel()
	p, second := behindPooler(t, false)
	ctx := t.Context()
	before := p.query(t, left)
	for says, n := range map[string]platform.NewSchool{
		"before the database north: its URL must say ?direct=host:port":           {Code: "new", Database: "north"},
		"before the database primary: HOMEROOM_DIRECT_DATABASE_URL must be given": {Code: "new", Isolation: "database"},
	} {
		n.Name = "New"
		if _, err := p.Create(ctx, platform.Shell, n); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Of(err).Message, says) {
			t.Errorf("not %q: %v", says, err)
		}
		if after := append(list(t, second, schemas), append(list(t, second, databases), list(t, second, locks)...)...); len(after) > 0 {
			t.Errorf("left behind: %v", after)
		}
	}
	if after := p.query(t, left); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("left behind: %v", after)
	}
	row, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "New", Code: "here"})
	must(t, err)
	if found := p.students(t, row); found != 0 {
		t.Errorf("%d students", found)
	}
	for name, want := range map[string]bool{"north": false, postgres.Primary: true} {
		checks, err := p.CheckDatabase(ctx, name)
		must(t, err)
		for _, check := range checks {
			if check.OK != (want || check.Check != "session") {
				t.Errorf("%+v", check)
			}
		}
	}
}

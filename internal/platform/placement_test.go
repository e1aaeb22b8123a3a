package platform_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// with registers databases of a second server: north and south for many schools, alone for one.
func (p place) with(t *testing.T, second *embedded.Server) {
	t.Helper()
	for name, kind := range map[string]string{"north": "shared", "south": "shared", "alone": "dedicated"} {
		testkit.On(t, second.URL("postgres"), "CREATE DATABASE "+name)
		_, err := p.AddDatabase(t.Context(), platform.Shell, platform.NewDatabase{Name: name, Kind: kind, DatabaseChange: platform.DatabaseChange{URL: second.URL(name), Capacity: 3, IsActive: true}})
		must(t, err)
	}
}

// list returns the rows of a query of one text column in a database, as the superuser.
func list(t *testing.T, url, query string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), query)
	must(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return found
}

const (
	schemas   = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^school_' ORDER BY 1"
	databases = "SELECT datname FROM pg_database WHERE datname ~ '^school_' ORDER BY 1"
)

func (p place) students(t *testing.T, row *publicdb.School) int {
	t.Helper()
	return p.registry.Schema(tenancy.DatabaseOf(row), row.SchemaName).Student.Query().CountX(t.Context())
}

// TestPlacements takes a school through its life in every kind of place.
func TestPlacements(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, _ := testkit.SecondServer(t)
	p.with(t, second)
	// A login that may do no more than it needs to.
	testkit.On(t, second.URL("postgres"), "CREATE ROLE limited LOGIN CREATEDB")
	testkit.On(t, second.URL("postgres"), "CREATE DATABASE limited OWNER limited")
	_, err := p.AddDatabase(ctx, platform.Shell, platform.NewDatabase{Name: "limited", DatabaseChange: platform.DatabaseChange{URL: strings.Replace(second.URL("limited"), "postgres@", "limited@", 1), IsActive: true}})
	must(t, err)
	for code, n := range map[string]platform.NewSchool{
		"here": {}, "there": {Database: "north"}, "own": {Database: "north", Isolation: "database"}, "taken": {Database: "alone", Isolation: "database"},
		"limited": {Database: "limited"}, "limited-own": {Database: "limited", Isolation: "database"},
		"own-" + uuid.NewString()[:13]: {Isolation: "database"},
	} {
		n.Name, n.Code = "New", code
		n.Fill = func(tx *tenancy.Tx, row *publicdb.School) error { return addStudent(ctx, tx, row) }
		invitation, err := auth.NewInvitation("", "head@example.org", "Grace Okafor", auth.RoleAdmin)
		must(t, err)
		n.Admin = &invitation
		row, err := p.Create(ctx, platform.Shell, n)
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if id := p.registry.Schema(tenancy.DatabaseOf(row), row.SchemaName).User.Query().OnlyIDX(ctx); id != invitation.ID {
			t.Errorf("%s: the admin is %s", code, id)
		}
		if n := p.students(t, row); n != 1 || row.State != "ready" {
			t.Errorf("%s: %d students, %s", code, n, row.State)
		}
		must(t, p.Delete(ctx, platform.Shell, row.ID, func(*publicdb.School) error { return nil }))
		_, err = p.Restore(ctx, platform.Shell, row.ID)
		must(t, err)
		if n := p.students(t, row); n != 1 {
			t.Errorf("%s: %d students", code, n)
		}
		must(t, p.Purge(ctx, platform.Shell, row.ID, code))
	}
	for _, url := range []string{p.url, second.URL("north"), second.URL("alone"), second.URL("limited")} {
		if left := list(t, url, schemas); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	if left := list(t, second.URL("postgres"), databases); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left := p.query(t, "SELECT code FROM clients UNION ALL SELECT domain FROM domains"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFailedPlacementLeavesNothing holds that of a creation that fails elsewhere nothing is left on
// either server, and nothing of strangers is touched.
func TestFailedPlacementLeavesNothing(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, _ := testkit.SecondServer(t)
	p.with(t, second)
	testkit.On(t, second.URL("north"), "CREATE SCHEMA school_strangers")
	testkit.On(t, second.URL("postgres"), "CREATE DATABASE school_strangers")
	testkit.On(t, second.URL("alone"), "CREATE TABLE public.something (a int)")
	no := func(tx *tenancy.Tx, row *publicdb.School) error {
		return errors.Join(addStudent(ctx, tx, row), errors.New("no"))
	}
	panics := func(*tenancy.Tx, *publicdb.School) error { panic(errors.New("no")) }
	before := p.query(t, left)
	for name, test := range map[string]struct {
		kind fault.Kind
		new  platform.NewSchool
	}{
		"Fill fails there":        {fault.Internal, platform.NewSchool{Code: "new", Database: "north", Fill: no}},
		"Fill fails in its own":   {fault.Internal, platform.NewSchool{Code: "new", Database: "north", Isolation: "database", Fill: no}},
		"Fill panics there":       {"", platform.NewSchool{Code: "new", Database: "north", Fill: panics}},
		"Fill panics in its own":  {"", platform.NewSchool{Code: "new", Database: "north", Isolation: "database", Fill: panics}},
		"the schema is there":     {fault.Conflict, platform.NewSchool{Code: "strangers", Database: "north"}},
		"the database is there":   {fault.Conflict, platform.NewSchool{Code: "strangers", Database: "north", Isolation: "database"}},
		"not empty":               {fault.Conflict, platform.NewSchool{Code: "new", Database: "alone", Isolation: "database"}},
		"dedicated, to be shared": {fault.InvalidInput, platform.NewSchool{Code: "new", Database: "alone"}},
		"no such database":        {fault.InvalidInput, platform.NewSchool{Code: "new", Database: "west"}},
		"no such isolation":       {fault.InvalidInput, platform.NewSchool{Code: "new", Isolation: "rack"}},
	} {
		test.new.Name = "New"
		_, err := func() (row *publicdb.School, err error) {
			defer func() {
				if panicked := recover(); panicked != nil {
					err = panicked.(error)
				}
			}()
			return p.Create(ctx, platform.Shell, test.new)
		}()
		if err == nil || test.kind != "" && fault.Of(err).Kind != test.kind {
			t.Errorf("%s: %v", name, err)
		}
		if after := p.query(t, left); !slices.Equal(after, before) {
			t.Errorf("%s: left behind: %v", name, after)
		}
		if there := append(list(t, second.URL("north"), schemas), list(t, second.URL("postgres"), databases)...); !slices.Equal(there, []string{"school_strangers", "school_strangers"}) {
			t.Errorf("%s: on the second server: %v", name, there)
		}
	}
}

// A server that stops in the middle of a creation leaves a claim, which takes no changes and which
// Recover clears up once the server is back.
func TestServerStopsWhileCreating(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, again := testkit.SecondServer(t)
	p.with(t, second)
	before := p.query(t, left)
	for _, isolation := range []string{"schema", "database"} {
		_, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "New", Code: "new", Database: "north", Isolation: isolation, Fill: func(tx *tenancy.Tx, row *publicdb.School) error {
			return errors.Join(addStudent(ctx, tx, row), second.Close())
		}})
		if err == nil {
			t.Fatal("it was created")
		}
		row, err := p.SchoolByCode(ctx, "new")
		must(t, err)
		purged, recovered := p.Purge(ctx, platform.Shell, row.ID, "new"), p.Recover(ctx)
		if row.State != "provisioning" || !fault.Is(purged, fault.DatabaseUnavailable) || !fault.Is(recovered, fault.DatabaseUnavailable) {
			t.Errorf("%s: %s, purged: %v, recovered: %v", isolation, row.State, purged, recovered)
		}
		if err := p.Delete(ctx, platform.Shell, row.ID, func(*publicdb.School) error { return nil }); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: deleted while it is made: %v", isolation, err)
		}
		second = again()
		time.Sleep(1100 * time.Millisecond) // a database that failed is left alone for a second
		must(t, p.Recover(ctx))
		found := append(list(t, second.URL("north"), schemas), list(t, second.URL("north"), databases)...)
		if after := p.query(t, left); len(found) > 0 || !slices.Equal(after, before) {
			t.Errorf("%s: left behind: %v %v", isolation, found, after)
		}
	}
}

// TestCapacity holds that no more schools come than a database takes, also when they come at once.
func TestCapacity(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, _ := testkit.SecondServer(t)
	p.with(t, second)
	var all errgroup.Group
	errs := make([]error, 6)
	for i := range errs {
		all.Go(func() error {
			n := platform.NewSchool{Name: "N", Code: fmt.Sprintf("c%d", i), Database: "north"}
			if i%3 == 0 {
				n.Isolation = "database"
			}
			_, errs[i] = p.Create(ctx, platform.Shell, n)
			return nil
		})
	}
	must(t, all.Wait())
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
	found := append(list(t, second.URL("north"), schemas), list(t, second.URL("postgres"), databases)...)
	if made != 3 || len(found) != 3 {
		t.Errorf("%d were made: %v", made, found)
	}
	if err := p.RemoveDatabase(ctx, platform.Shell, "north", func(*publicdb.Database) error { return nil }); !fault.Is(err, fault.Conflict) {
		t.Errorf("a database with schools was removed: %v", err)
	}
	_, err := p.UpdateDatabase(ctx, platform.Shell, "south", func(d *publicdb.Database) (platform.DatabaseChange, error) {
		return platform.DatabaseChange{URL: d.URL}, nil
	})
	must(t, err)
	if _, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "N", Code: "south", Database: "south"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a database that takes no schools: %v", err)
	}
	must(t, p.RemoveDatabase(ctx, platform.Shell, "south", func(*publicdb.Database) error { return nil }))
}

// TestKilledWhileCreatingElsewhere kills creations over two servers at any point. After Recover every
// school is there whole or not at all.
func TestKilledWhileCreatingElsewhere(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, _ := testkit.SecondServer(t)
	p.with(t, second)
	_, err := p.UpdateDatabase(ctx, platform.Shell, "north", func(d *publicdb.Database) (platform.DatabaseChange, error) {
		return platform.DatabaseChange{URL: d.URL, Capacity: 1000, IsActive: true}, nil
	})
	must(t, err)
	var all errgroup.Group
	for _, isolation := range []string{"schema", "database"} {
		all.Go(func() error {
			for i := range 10 {
				most := 100 * time.Millisecond
				if i%2 == 1 {
					most = 10 * time.Millisecond // from Fill to the end
				}
				if err := killChild(p.url, i, rand.N(most), "north "+isolation); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, all.Wait())
	claims := p.query(t, "SELECT code FROM clients WHERE state = 'provisioning'")
	t.Logf("%d creations were cut off", len(claims))
	// Two at once, as replicas start.
	for range 2 {
		all.Go(func() error { return p.Recover(ctx) })
	}
	must(t, all.Wait())
	var want []string
	recovered := 0
	for _, row := range p.registry.Public().School.Query().AllX(ctx) {
		if row.State != "ready" {
			t.Errorf("%s is %s", row.Code, row.State)
			continue
		}
		want = append(want, string(row.Isolation)+" "+row.SchemaName)
		if n := p.students(t, row); n != 1 {
			t.Errorf("%s has %d students", row.Code, n)
		}
		if slices.Contains(claims, row.Code) {
			recovered++
		}
	}
	found := list(t, second.URL("north"), "SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ '^school_'")
	found = append(found, list(t, second.URL("north"), "SELECT 'database ' || datname FROM pg_database WHERE datname ~ '^school_'")...)
	slices.Sort(want)
	slices.Sort(found)
	if !slices.Equal(want, found) || len(want) == 0 {
		t.Errorf("schools %v\nfound   %v", want, found)
	}
	t.Logf("%d schools, %d of them finished by Recover, %d taken back", len(want), recovered, len(claims)-recovered)
}

package platform_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/ent/mixin"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// childEnv makes this binary the process that TestKilledWhileCreating kills: it creates schools in the
// database whose URL it holds until it dies. placeEnv says where, by database and isolation.
const (
	childEnv = "HOMEROOM_TEST_CREATE_IN"
	placeEnv = "HOMEROOM_TEST_CREATE_AT"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		fmt.Println(createForever(url))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func createForever(url string) error {
	pools, err := postgres.NewPools(url, 2)
	if err != nil {
		return err
	}
	tenant, err := fleet.Load(atlas.Tenant())
	if err != nil {
		return err
	}
	database, isolation, _ := strings.Cut(os.Getenv(placeEnv), " ")
	p := platform.New(tenancy.New(pools, tenancy.Options{Roles: true}), tenant, platform.Settings{BaseDomain: "base.example", TenantRoles: true}, time.Now)
	for {
		fmt.Println("next")
		code := strings.ReplaceAll(uuid.NewString(), "-", "")
		fill := func(tx *tenancy.Tx, row *publicdb.School) error {
			fmt.Println("next")
			return addStudent(context.Background(), tx, row)
		}
		if _, err := p.Create(context.Background(), platform.Shell, platform.NewSchool{Name: "Child", Code: code, Database: database, Isolation: isolation, Fill: fill}); err != nil {
			return err
		}
	}
}

func addStudent(ctx context.Context, tx *tenancy.Tx, row *publicdb.School) error {
	return tx.Schema(row.SchemaName).Student.Create().SetAdmissionNumber("A-1").SetFirstName("Amina").SetLastName("Okafor").Exec(ctx)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a platform with a database of its own.
type place struct {
	*platform.Platform
	url      string
	registry *tenancy.Registry
}

func newPlace(t *testing.T) place {
	t.Helper()
	url := testkit.Database(t)
	registry := tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	return place{platform.New(registry, testkit.Tenant(t), platform.Settings{BaseDomain: "base.example", TenantRoles: true}, time.Now), url, registry}
}

// query returns the rows of a query of one text column, as the superuser.
func (p place) query(t *testing.T, query string) []string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), p.url)
	must(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), query)
	must(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return found
}

const left = `SELECT 'school ' || code FROM clients UNION ALL SELECT domain FROM domains UNION ALL SELECT 'setup' FROM school_setups
	UNION ALL SELECT action FROM audit_events UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'jobs', 'information_schema')
	UNION ALL SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname NOT IN ('public', 'jobs', 'information_schema')`

func TestFailedCreationLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	no := errors.New("no")
	within, cancel := context.WithCancel(t.Context())
	tests := map[string]struct {
		kind fault.Kind
		fill func(*tenancy.Tx, *publicdb.School) error
		new  platform.NewSchool
	}{
		"the schema is there": {fault.Conflict, nil, platform.NewSchool{SchemaName: "strangers"}},
		"Fill fails":          {fault.Internal, func(*tenancy.Tx, *publicdb.School) error { return no }, platform.NewSchool{}},
		"Fill writes, then fails": {fault.Internal, func(tx *tenancy.Tx, row *publicdb.School) error {
			return errors.Join(addStudent(t.Context(), tx, row), no)
		}, platform.NewSchool{}},
		"Fill breaks a rule of the database": {fault.Conflict, func(tx *tenancy.Tx, row *publicdb.School) error {
			return errors.Join(addStudent(t.Context(), tx, row), addStudent(t.Context(), tx, row))
		}, platform.NewSchool{}},
		"Fill passes over an error of the database": {fault.Internal, func(tx *tenancy.Tx, row *publicdb.School) error {
			must(t, addStudent(t.Context(), tx, row))
			_ = addStudent(t.Context(), tx, row)
			return nil
		}, platform.NewSchool{}},
		"Fill panics": {"", func(tx *tenancy.Tx, row *publicdb.School) error {
			must(t, addStudent(t.Context(), tx, row))
			panic(no)
		}, platform.NewSchool{}},
		"the caller leaves": {"", func(*tenancy.Tx, *publicdb.School) error {
			cancel()
			return nil
		}, platform.NewSchool{}},
	}
	_, err := p.registry.Public().ExecContext(t.Context(), "CREATE SCHEMA strangers")
	must(t, err)
	for name, test := range tests {
		test.new.Name, test.new.Code, test.new.Fill = "New", "new", test.fill
		ctx := t.Context()
		if name == "the caller leaves" {
			ctx = within
		}
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
		if found := p.query(t, left); !slices.Equal(found, []string{"strangers"}) {
			t.Errorf("%s: left behind: %v", name, found)
		}
	}
	made, err := p.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "New", Code: "new", Fill: func(tx *tenancy.Tx, row *publicdb.School) error {
		return addStudent(t.Context(), tx, row)
	}})
	must(t, err)
	if n := p.registry.Schema(postgres.Primary, made.SchemaName).Student.Query().CountX(t.Context()); n != 1 || made.State != school.StateReady {
		t.Errorf("%d students, %s", n, made.State)
	}
}

// TestCreationsAtOnce creates schools that want the same code, schema or domain, in opposite orders.
func TestCreationsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var all errgroup.Group
	errs := make([]error, 40)
	for i := range errs {
		n := platform.NewSchool{Name: "N", Code: fmt.Sprintf("c%d", i%20), Domains: []platform.NewDomain{{Domain: "a.example"}, {Domain: fmt.Sprintf("b%d.example", i)}}}
		if i%2 == 1 { // a deadlock between two of these is a Conflict too
			slices.Reverse(n.Domains)
		}
		all.Go(func() error {
			_, errs[i] = p.Create(t.Context(), platform.Shell, n)
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
	if found := p.query(t, `SELECT nspname FROM pg_namespace WHERE nspname ~ '^school_'`); made != 1 || len(found) != 1 {
		t.Errorf("%d were made, schemas %v", made, found)
	}
}

// TestOnePrimary holds that, after any changes by several at once, a school with domains has exactly
// one primary.
func TestOnePrimary(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), context.Background()
	made, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "N", Code: "one"})
	must(t, err)
	change := func(kind int, name string) error {
		row, err := p.registry.Public().Domain.Query().Where(domain.Domain(name)).Only(ctx)
		if err != nil && !publicdb.IsNotFound(err) {
			return err
		}
		switch {
		case row == nil:
			_, err = p.AddDomain(ctx, platform.Shell, made.ID, platform.NewDomain{Domain: name, IsPrimary: kind > 0})
		case kind == 0:
			err = p.RemoveDomain(ctx, platform.Shell, made.ID, row.ID, func(*publicdb.Domain) error { return nil })
		case kind == 1:
			_, err = p.Update(ctx, platform.Shell, made.ID, func(s *publicdb.School) (platform.SchoolChange, error) {
				return platform.SchoolChange{Name: s.Name, Code: s.Code, IsActive: true, Domains: []platform.NewDomain{{Domain: "z.example"}, {Domain: name, IsPrimary: true}}}, nil
			})
		default:
			_, err = p.MakePrimary(ctx, platform.Shell, made.ID, row.ID, func(*publicdb.Domain) (bool, error) { return true, nil })
		}
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) { // another was faster
			return nil
		}
		return err
	}
	rapid.Check(t, func(t *rapid.T) {
		var all errgroup.Group
		for range 3 {
			plan := rapid.SliceOfN(rapid.IntRange(0, 15), 1, 3).Draw(t, "plan")
			all.Go(func() error {
				for _, step := range plan {
					if err := change(step/4, fmt.Sprintf("d%d.example", step%4)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		rows := p.registry.Public().Domain.Query().AllX(ctx)
		primaries := slices.DeleteFunc(slices.Clone(rows), func(d *publicdb.Domain) bool { return !d.IsPrimary })
		if len(rows) > 0 && len(primaries) != 1 {
			t.Fatalf("primaries %v of %v", primaries, rows)
		}
	})
}

func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var all errgroup.Group
	for range 3 {
		all.Go(func() error {
			for i := range 5 {
				most := 60 * time.Millisecond // to make a schema
				if i%2 == 1 {
					most = 3 * time.Millisecond // from there to the commit
				}
				if err := killChild(p.url, i, rand.N(most), ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, all.Wait())
	// What the dead had begun ends when the server notices; only then is the count final.
	p.query(t, `DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom' AND xact_start IS NOT NULL)
		LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$`)
	_, err := p.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Undisturbed", Code: "whole"})
	must(t, err)
	tables := len(p.query(t, "SELECT tablename FROM pg_tables WHERE schemaname = 'school_whole'"))
	whole := fmt.Sprintf(`SELECT format('%%s: schema %%s, %%s tables, %%s domains, %%s setups', c.code, s.nspname,
			(SELECT count(*) FROM pg_tables t WHERE t.schemaname = c.schema_name), (SELECT count(*) FROM domains d WHERE d.tenant_id = c.id AND is_primary), (SELECT count(*) FROM school_setups u WHERE u.school_id = c.id))
		FROM clients c FULL JOIN (SELECT * FROM pg_namespace WHERE nspname ~ '^school_') s ON s.nspname = c.schema_name
		WHERE c.id IS NULL OR s.nspname IS NULL OR c.state <> 'ready' OR (SELECT count(*) FROM pg_tables t WHERE t.schemaname = c.schema_name) <> %d
			OR (SELECT count(*) FROM domains d WHERE d.tenant_id = c.id AND is_primary) <> 1 OR (SELECT count(*) FROM school_setups u WHERE u.school_id = c.id) <> 1`, tables)
	if half := p.query(t, whole); len(half) > 0 {
		t.Errorf("half made: %v", half)
	}
	rows := p.registry.Public().School.Query().Where(school.Name("Child")).AllX(t.Context())
	for _, row := range rows {
		version := p.query(t, "SELECT max(version) FROM "+postgres.Ident(row.SchemaName)+".atlas_schema_revisions")
		if students := p.registry.Schema(postgres.Primary, row.SchemaName).Student.Query().CountX(t.Context()); students != 1 || version[0] != row.SchemaVersion {
			t.Errorf("%s: %d students, revision %s", row.Code, students, version)
		}
	}
	if len(rows) == 0 || tables < 10 {
		t.Errorf("%d schools of %d tables: nothing was tried", len(rows), tables)
	}
}

// killChild starts a child and kills it, by SIGKILL, some time after the given number of steps: before
// a creation, and in it once the schema is made.
func killChild(url string, steps int, after time.Duration, at string) error {
	child := exec.CommandContext(context.Background(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+url, placeEnv+"="+at)
	stdout, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	said := bufio.NewReader(stdout)
	for ; err == nil && steps >= 0; steps-- {
		if line, _ := said.ReadString('\n'); line != "next\n" {
			err = fmt.Errorf("the child failed: %s", line)
		}
	}
	timer := time.AfterFunc(after, func() { _ = child.Process.Kill() })
	defer timer.Stop()
	rest, _ := io.ReadAll(said)
	if last := strings.ReplaceAll(string(rest), "next\n", ""); last != "" {
		err = errors.Join(err, fmt.Errorf("the child failed: %s", last))
	}
	return errors.Join(err, ignoreKill(child.Wait()))
}

// ignoreKill passes over the way in which a killed child ends.
func ignoreKill(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return nil
	}
	return err
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for statuses, want := range map[string]school.SetupProgress{
		"": school.SetupProgressNotStarted, "pending": school.SetupProgressNotStarted, "pending pending": school.SetupProgressNotStarted,
		"pending done": school.SetupProgressInProgress, "in_progress": school.SetupProgressInProgress, "skipped pending": school.SetupProgressInProgress, "done in_progress": school.SetupProgressInProgress,
		"done": school.SetupProgressCompleted, "skipped": school.SetupProgressCompleted, "done skipped done": school.SetupProgressCompleted,
	} {
		var steps []mixin.SetupStep
		for i, status := range strings.Fields(statuses) {
			steps = append(steps, mixin.SetupStep{ID: fmt.Sprint(i), Title: "x", Status: status})
		}
		if got := platform.Progress(steps); got != want {
			t.Errorf("%q: %s, want %s", statuses, got, want)
		}
	}
}

// A deleted school takes nothing but its restoration or its end; and no school takes domains without
// bound.
func TestDeletedSchoolAndTooManyDomains(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	row, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "Elm", Code: "elm"})
	must(t, err)
	for i := range platform.MaxDomains - 1 {
		_, err = p.AddDomain(ctx, platform.Shell, row.ID, platform.NewDomain{Domain: fmt.Sprintf("d%d.example", i)})
		must(t, err)
	}
	if _, err := p.AddDomain(ctx, platform.Shell, row.ID, platform.NewDomain{Domain: "more.example"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("one domain too many: %v", err)
	}
	must(t, p.Delete(ctx, platform.Shell, row.ID, func(*publicdb.School) error { return nil }))
	_, updated := p.Update(ctx, platform.Shell, row.ID, func(s *publicdb.School) (platform.SchoolChange, error) {
		return platform.SchoolChange{Name: "Oak", Code: s.Code}, nil
	})
	_, setUp := p.UpdateSetup(ctx, platform.Shell, row.ID, func(*publicdb.SchoolSetup) (change platform.SetupChange, err error) { return change, nil })
	_, added := p.AddDomain(ctx, platform.Shell, row.ID, platform.NewDomain{Domain: "more.example"})
	for _, err := range []error{updated, setUp, added} {
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("a deleted school was changed: %v", err)
		}
	}
}

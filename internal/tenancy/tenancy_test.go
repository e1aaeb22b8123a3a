package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// schools returns a registry, its pool and the names of three empty schools' schemas.
func schools(t *testing.T) (*tenancy.Registry, *postgres.Database, []string) {
	t.Helper()
	pools := testkit.Pools(t, testkit.Database(t))
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	names := []string{"school_a", "school_b", `school "c", public`} // the last shows that names are quoted
	for _, name := range names {
		_, err := registry.Public().ExecContext(t.Context(), testkit.Tenant(t).CreateScript(name))
		must(t, err)
	}
	return registry, pools.Database(postgres.Primary), names
}

func add(db *tenantdb.Client, number string) *tenantdb.StudentCreate {
	return db.Student.Create().SetAdmissionNumber(number).SetFirstName("Amina").SetLastName("Okafor")
}

func numbers(ctx context.Context, db *tenantdb.Client) ([]string, error) {
	return db.Student.Query().Order(student.ByAdmissionNumber()).Select(student.FieldAdmissionNumber).Strings(ctx)
}

func TestByHost(t *testing.T) {
	t.Parallel()
	registry, ctx := testkit.Registry(t), t.Context()
	for _, s := range []struct {
		code   string
		state  school.State
		active bool
	}{
		{"ready", school.StateReady, true},
		{"off", school.StateReady, false},
		{"deleted", school.StateDeleted, true},
		{"provisioning", school.StateProvisioning, true},
		{"moving", school.StateMoving, true},
		{"failed", school.StateFailed, true},
		{"off-moving", school.StateMoving, false},
		{"off-deleted", school.StateDeleted, false},
	} {
		create := registry.Public().School.Create().SetName("School " + s.code).SetCode(s.code).SetSchemaName(strings.ReplaceAll("school_"+s.code, "-", "_")).SetState(s.state).SetIsActive(s.active)
		if s.state == school.StateDeleted {
			create.SetDeletedAt(time.Now())
		}
		row := create.SaveX(ctx)
		registry.Public().Domain.Create().SetTenantID(row.ID).SetDomain(s.code + ".xn--bcher-kva.example").SetIsPrimary(true).ExecX(ctx)
		registry.Public().Domain.Create().SetTenantID(row.ID).SetDomain("www-" + s.code + ".example").ExecX(ctx)
	}
	for host, kind := range map[string]fault.Kind{
		"ready.xn--bcher-kva.example": "", "READY.bücher.EXAMPLE.:8080": "", "www-ready.example:": "", "www-ready.example": "",
		"off.bücher.example": fault.SchoolInactive, "www-off.example:80": fault.SchoolInactive,
		"deleted.bücher.example": fault.UnknownHost, "www-off-deleted.example": fault.UnknownHost,
		"www-provisioning.example": fault.SchoolUnavailable, "www-moving.example": fault.SchoolUnavailable, "www-failed.example": fault.SchoolUnavailable, "www-off-moving.example": fault.SchoolUnavailable,
		"": fault.UnknownHost, "bücher.example": fault.UnknownHost, "x.ready.bücher.example": fault.UnknownHost, "ready": fault.UnknownHost, "localhost": fault.UnknownHost, "127.0.0.1": fault.UnknownHost, "[::1]": fault.UnknownHost,
		"www-ready.example ": fault.UnknownHost, "%": fault.UnknownHost, "www-ready_example": fault.UnknownHost, "' OR '1'='1": fault.UnknownHost, "\x00": fault.UnknownHost, "\xff": fault.UnknownHost,
	} {
		tenant, err := registry.ByHost(ctx, host)
		switch {
		case kind == "" && (err != nil || tenant.Code != "ready" || tenant.Name != "School ready" || tenant.DB == nil):
			t.Errorf("%q: %v %v", host, tenant, err)
		case kind != "" && (!fault.Is(err, kind) || tenant != nil):
			t.Errorf("%q: %v %v, want %s", host, tenant, err, kind)
		case kind == fault.SchoolUnavailable && fault.Of(err).RetryAfter == 0:
			t.Errorf("%q: %v says not when to try again", host, err)
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := registry.ByHost(stopped, "www-ready.example"); err == nil || fault.Is(err, fault.UnknownHost) {
		t.Errorf("without a database: %v", err)
	}
}

// TestWithoutASchool holds that a statement that says no school finds no table.
func TestWithoutASchool(t *testing.T) {
	t.Parallel()
	registry, pool, names := schools(t)
	add(registry.Schema(postgres.Primary, names[0]), "A-1").ExecX(t.Context())
	for _, table := range []string{"students", "clients", "atlas_schema_revisions"} {
		err := pool.With(t.Context(), func(conn *pgx.Conn) error {
			_, err := conn.Exec(t.Context(), "SELECT FROM "+table)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "42P01") {
			t.Errorf("%s: %v", table, err)
		}
	}
	for _, name := range []string{"", "nowhere", "public", "SCHOOL_A", "school_a, school_b", "$user"} {
		if n, err := registry.Schema(postgres.Primary, name).Student.Query().Count(t.Context()); err == nil {
			t.Errorf("schema %q has %d students", name, n)
		}
	}
}

// TestNothingStays holds that, however work in a school ends, its connection goes back without the
// school's search_path and without a transaction.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	registry, pool, names := schools(t)
	db := registry.Schema(postgres.Primary, names[0])
	sleep := func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "SELECT pg_sleep(30)")
		return err
	}
	within := func(do func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			return do(ctx)
		}
	}
	fails := errors.New("no")
	for name, work := range map[string]func(context.Context) error{
		"a write":                 func(ctx context.Context) error { return add(db, "A-1").Exec(ctx) },
		"a read":                  func(ctx context.Context) error { _, err := db.Student.Query().All(ctx); return err },
		"one of many rows":        func(ctx context.Context) error { _, err := db.Student.Query().First(ctx); return err },
		"a duplicate":             func(ctx context.Context) error { return add(db, "A-1").SetFirstName("Again").Exec(ctx) },
		"nonsense":                func(ctx context.Context) error { _, err := db.ExecContext(ctx, "SELECT FROM nowhere"); return err },
		"a division by zero":      func(ctx context.Context) error { _, err := db.ExecContext(ctx, "SELECT 1/0"); return err },
		"a statement in time out": within(sleep),
		"a transaction in time out": within(func(ctx context.Context) error {
			return tenancy.InTx(ctx, db, func(tx *tenantdb.Client) error {
				_, err := tx.ExecContext(ctx, "SELECT pg_sleep(30)")
				return err
			})
		}),
		"cancelled before": func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return add(db, "never").Exec(ctx)
		},
		"a failed transaction": func(ctx context.Context) error {
			return tenancy.InTx(ctx, db, func(tx *tenantdb.Client) error {
				return errors.Join(fails, add(tx, "never").Exec(ctx))
			})
		},
		"an error that was passed over": func(ctx context.Context) error {
			return tenancy.InTx(ctx, db, func(tx *tenantdb.Client) error {
				add(tx, "never").ExecX(ctx)
				_, _ = tx.ExecContext(ctx, "SELECT 1/0")
				return nil
			})
		},
		"a panic": func(ctx context.Context) (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return tenancy.InTx(ctx, db, func(tx *tenantdb.Client) error {
				add(tx, "never").ExecX(ctx)
				panic("in the middle")
			})
		},
		"a panic across schools": func(ctx context.Context) (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return registry.InTx(ctx, func(tx *tenancy.Tx) error {
				add(tx.Schema(names[1]), "never").ExecX(ctx)
				tx.Public().School.Query().CountX(ctx)
				panic("in the middle")
			})
		},
		"a local setting": func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "SET LOCAL work_mem = '1MB'")
			return err
		},
	} {
		var all errgroup.Group
		for range 3 {
			all.Go(func() error { return work(t.Context()) })
		}
		failed := all.Wait()
		var used [3]*pgxpool.Conn // those that the work was on
		for i := range used {
			conn, err := pool.Acquire(t.Context(), postgres.Ident(names[0]))
			must(t, err)
			used[i] = conn
			var path, scratch string
			must(t, conn.QueryRow(t.Context(), `SELECT current_setting('search_path'), coalesce(current_setting('homeroom.search_path', true), '')`).Scan(&path, &scratch))
			if strings.Trim(path, `"`) != "" || scratch != "" || conn.Conn().PgConn().TxStatus() != 'I' {
				t.Errorf("after %s (%v): search_path %q, %q, transaction %c", name, failed, path, scratch, conn.Conn().PgConn().TxStatus())
			}
		}
		for _, conn := range used {
			pool.Release(conn)
		}
	}
	for _, name := range names {
		found, err := numbers(t.Context(), registry.Schema(postgres.Primary, name))
		if must(t, err); slices.Contains(found, "never") {
			t.Errorf("%s: what was rolled back is there: %v", name, found)
		}
	}
}

// TestSchoolsApart holds that each school has what was written to it, whoever else works at the same
// time on the same few connections.
func TestSchoolsApart(t *testing.T) {
	t.Parallel()
	registry, _, names := schools(t)
	type op struct{ school, kind, number int }
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range names {
			registry.Schema(postgres.Primary, name).Student.Delete().ExecX(context.Background())
		}
		var all errgroup.Group
		wants := make([]map[string]bool, len(names))
		for i := range wants {
			wants[i] = map[string]bool{}
		}
		for worker := range 3 {
			plan := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
				return op{rapid.IntRange(0, len(names)-1).Draw(t, "school"), rapid.IntRange(0, 4).Draw(t, "kind"), rapid.IntRange(0, 2).Draw(t, "number")}
			}), 0, 6).Draw(t, "plan")
			for _, o := range plan {
				number, want := fmt.Sprintf("W%d-%d", worker, o.number), wants[o.school]
				switch o.kind {
				case 0, 1:
					want[number] = true
				case 2:
					delete(want, number)
				}
			}
			all.Go(func() error {
				for _, o := range plan {
					if err := carryOut(registry, names, o.school, o.kind, fmt.Sprintf("W%d-%d", worker, o.number)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			got, err := numbers(context.Background(), registry.Schema(postgres.Primary, name))
			if want := slices.Sorted(maps.Keys(wants[i])); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s has %v, want %v (%v)", name, got, want, err)
			}
		}
	})
}

// carryOut adds a student alone (0) or in a transaction across all schools (1), takes one away (2), or
// writes to all schools in transactions that come to nothing (3, 4). One that is there already is a Conflict.
func carryOut(registry *tenancy.Registry, names []string, at, kind int, number string) error {
	ctx, db := context.Background(), registry.Schema(postgres.Primary, names[at])
	var err error
	switch kind {
	case 0:
		err = add(db, number).Exec(ctx)
	case 1:
		err = registry.InTx(ctx, func(tx *tenancy.Tx) error {
			for _, name := range names { // there and back again
				if _, err := tx.Schema(name).Student.Query().Count(ctx); err != nil {
					return err
				}
			}
			return add(tx.Schema(names[at]), number).Exec(ctx)
		})
	case 2:
		_, err = db.Student.Delete().Where(student.AdmissionNumber(number)).Exec(ctx)
	default:
		fails := errors.New("no")
		err = registry.InTx(ctx, func(tx *tenancy.Tx) error {
			for _, name := range names {
				add(tx.Schema(name), number+"-never").ExecX(ctx)
			}
			return fails
		})
		if errors.Is(err, fails) {
			err = nil
		}
	}
	if fault.Is(err, fault.Conflict) {
		err = nil
	}
	return err
}

// TestInTx holds that a transaction across the platform and a school is one.
func TestInTx(t *testing.T) {
	t.Parallel()
	registry, _, names := schools(t)
	ctx, fails := t.Context(), errors.New("no")
	for _, end := range []error{fails, nil} {
		err := registry.InTx(ctx, func(tx *tenancy.Tx) error {
			tx.Public().School.Create().SetName("A").SetCode("a-1").SetSchemaName(names[0]).ExecX(ctx)
			add(tx.Schema(names[0]), "A-1").ExecX(ctx)
			tx.Public().School.Update().SetName("B").ExecX(ctx)
			add(tx.Schema(names[1]), "B-1").ExecX(ctx)
			return end
		})
		found := registry.Public().School.Query().CountX(ctx) + registry.Schema(postgres.Primary, names[0]).Student.Query().CountX(ctx) + registry.Schema(postgres.Primary, names[1]).Student.Query().CountX(ctx)
		if want := map[bool]int{true: 3}[end == nil]; !errors.Is(err, end) || found != want {
			t.Errorf("ended with %v: %v, %d rows, want %d", end, err, found, want)
		}
	}
	err := tenancy.InTx(ctx, registry.Schema(postgres.Primary, names[0]), func(tx *tenantdb.Client) error {
		return add(tx, strings.Repeat("x", 10_000)).Exec(ctx)
	})
	if f := fault.Of(err); f.Kind != fault.InvalidInput || f.Fields[0].Location != "body.admission_number" {
		t.Errorf("what ent's validators refuse: %v", err)
	}
}

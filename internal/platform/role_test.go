package platform_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// roleOf returns the role of a new school.
func roleOf(t *testing.T, p place, code string) string {
	t.Helper()
	row, err := p.Create(t.Context(), platform.Shell, platform.NewSchool{Name: code, Code: code})
	must(t, err)
	return row.RoleName
}

// With a school's role, PostgreSQL itself keeps a statement out of all that is not the school's,
// whatever our code gets wrong.
func TestRoleIsTheSecondWall(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	elm := roleOf(t, p, "elm")
	roleOf(t, p, "oak")
	db := entpgx.New(testkit.Pools(t, p.url).Database(postgres.Primary), entpgx.Options{})
	t.Cleanup(func() { must(t, db.Close()) })
	for _, c := range []struct{ path, statement, state string }{
		{"school_elm", "SELECT count(*) FROM students", ""},
		{"school_elm", "INSERT INTO subjects (id, name) VALUES (gen_random_uuid(), 'Art')", ""},
		{"school_elm", "UPDATE students SET first_name = 'A'", ""},
		{"school_elm", "DELETE FROM students", ""},
		{"school_elm", "SELECT count(*) FROM students FOR UPDATE", "0A000"}, // not with aggregates: the right is there
		// Its own migrations, and tables, are not its to change.
		{"school_elm", "SELECT count(*) FROM atlas_schema_revisions", "42501"},
		{"school_elm", "DROP TABLE students", "42501"},
		{"school_elm", "TRUNCATE students", "42501"},
		{"school_elm", "CREATE TABLE mine (id int)", "42501"},
		// Nothing of others.
		{"school_elm", "SELECT count(*) FROM school_oak.students", "42501"},
		{"school_elm", "SELECT count(*) FROM public.clients", "42501"},
		{"school_elm", "INSERT INTO school_oak.subjects (id, name) VALUES (gen_random_uuid(), 'Art')", "42501"},
		// With a wrong search_path the schema's tables are not even visible.
		{"school_oak", "SELECT count(*) FROM students", "42P01"},
		{"public", "SELECT count(*) FROM clients", "42501"},
	} {
		_, err := db.Driver(entpgx.Scope{SearchPath: c.path, Role: elm}).ExecContext(ctx, c.statement)
		if c.state == "" && err != nil || c.state != "" && (err == nil || !strings.Contains(err.Error(), c.state)) {
			t.Errorf("in %s, %s: %v, not %q", c.path, c.statement, err, c.state)
		}
	}
}

func TestRoleComesAndGoesWithTheSchool(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	elm := roleOf(t, p, "elm")
	row, err := p.SchoolByCode(ctx, "elm")
	must(t, err)
	if got := p.query(t, "SELECT rolname FROM pg_roles WHERE rolname = '"+elm+"' AND NOT rolcanlogin AND NOT rolsuper"); len(got) != 1 {
		t.Errorf("roles: %v", got)
	}
	must(t, p.Purge(ctx, platform.Shell, row.ID, "elm"))
	if got := p.query(t, "SELECT rolname FROM pg_roles WHERE rolname = '"+elm+"'"); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	fails := func(*tenancy.Tx, *publicdb.School) error { return context.Canceled }
	_, err = p.Create(ctx, platform.Shell, platform.NewSchool{Name: "Willow", Code: "willow", Fill: fails})
	if err == nil {
		t.Fatal("created")
	}
	if got := p.query(t, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'hr\\_school\\_willow%'"); len(got) != 0 {
		t.Errorf("a failed creation left %v", got)
	}
}

// A purge that was cut off between the school's own database and its role goes on with the role.
func TestRoleGoesAfterItsDatabase(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	row, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "Own", Code: "own-" + uuid.NewString()[:13], Isolation: "database"})
	must(t, err)
	_, err = testkit.Conn(t, "postgres").Exec(ctx, "DROP DATABASE "+postgres.Ident(row.SchemaName)+" WITH (FORCE)")
	must(t, err)
	must(t, p.Purge(ctx, platform.Shell, row.ID, row.Code))
	if left := p.query(t, "SELECT rolname FROM pg_roles WHERE rolname = '"+row.RoleName+"'"); row.RoleName == "" || len(left) > 0 {
		t.Errorf("left of %q: %v", row.RoleName, left)
	}
}

// The service's login needs no superuser: CREATEROLE and a database of its own will do.
func TestLeastLogin(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	login := "login_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	admin := testkit.Conn(t, "postgres")
	exec := func(conn *pgx.Conn, statement string) {
		t.Helper()
		_, err := conn.Exec(ctx, statement)
		must(t, err)
	}
	exec(admin, "CREATE ROLE "+login+" LOGIN CREATEROLE NOINHERIT")
	own, err := pgx.Connect(ctx, p.url)
	must(t, err)
	exec(own, fmt.Sprintf(`ALTER DATABASE %s OWNER TO %s; DO $$ DECLARE r record; BEGIN
		FOR r IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('ALTER TABLE public.%%I OWNER TO %s', r.relname); END LOOP; END $$`, own.Config().Database, login, login))
	must(t, own.Close(ctx))
	t.Cleanup(func() {
		own, err := pgx.Connect(context.Background(), p.url)
		must(t, err)
		_, err = own.Exec(context.Background(), "REASSIGN OWNED BY "+login+" TO postgres; DROP OWNED BY "+login+"; DROP ROLE "+login)
		must(t, err)
		must(t, own.Close(context.Background()))
	})
	u, err := url.Parse(p.url)
	must(t, err)
	u.User = url.User(login)
	registry := tenancy.New(testkit.Pools(t, u.String()), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	least := platform.New(registry, testkit.Tenant(t), platform.Settings{BaseDomain: "base.example", TenantRoles: true}, time.Now)
	row, err := least.Create(ctx, platform.Shell, platform.NewSchool{Name: "Elm", Code: "elm"})
	must(t, err)
	tenant, err := registry.ByHost(ctx, "elm.base.example")
	must(t, err)
	if _, err := tenant.DB.Subject.Create().SetName("Art").Save(ctx); err != nil {
		t.Error(err)
	}
	must(t, least.Purge(ctx, platform.Shell, row.ID, "elm"))
}

// Without roles everything works, also for a school that has one.
func TestRolesOff(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	roleOf(t, p, "elm")
	registry := tenancy.New(testkit.Pools(t, p.url), tenancy.Options{})
	t.Cleanup(func() { must(t, registry.Close()) })
	off := platform.New(registry, testkit.Tenant(t), platform.Settings{BaseDomain: "base.example"}, time.Now)
	row, err := off.Create(ctx, platform.Shell, platform.NewSchool{Name: "Oak", Code: "oak"})
	must(t, err)
	if row.RoleName != "" {
		t.Errorf("it has the role %s", row.RoleName)
	}
	for _, reg := range []*tenancy.Registry{registry, p.registry} {
		for _, host := range []string{"elm.base.example", "oak.base.example"} {
			tenant, err := reg.ByHost(ctx, host)
			must(t, err)
			if _, err := tenant.DB.Subject.Create().SetName("Art").Save(ctx); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if n, err := registry.Public().School.Query().Where(school.RoleName("")).Count(ctx); err != nil || n != 1 {
		t.Error(n, err)
	}
}

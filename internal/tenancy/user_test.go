package tenancy_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

const userID = "0192f0c1-0000-7000-8000-000000000002"

// insertUser is SQL that makes a user, an admin, in the schema of a school.
func insertUser(schema string) string {
	return "INSERT INTO " + schema + ".users (id, email, full_name, role, password_hash, created_at, updated_at) VALUES ('" + userID + "', 'ada@example.org', 'Ada', 'admin', 'secret', now(), now());"
}

// user is what a replica knows of the user of a school: their role, or that they are switched off.
func (r replica) user(host string) string {
	tenant, err := r.ByHost(context.Background(), host)
	if err != nil {
		return err.Error()
	}
	row, err := tenant.User(context.Background(), uuid.MustParse(userID))
	switch {
	case tenantdb.IsNotFound(err):
		return "none"
	case err != nil:
		return err.Error()
	case row.PasswordHash != nil || row.Email != "" || row.FullName != "":
		return "more than is needed"
	case !row.IsActive:
		return "off"
	}
	return row.Role.String()
}

// rememberUser waits until a replica answers without asking.
func (r replica) rememberUser(t *testing.T, host string) {
	t.Helper()
	eventually(t, "the user is remembered", func() bool {
		r.user(host)
		before := r.pool.written.Load()
		r.user(host)
		return r.pool.written.Load() == before
	})
}

// change changes the user as a request to a replica does.
func (r replica) change(host string, do func(*tenantdb.UserUpdateOne) error) error {
	tenant, err := r.ByHost(context.Background(), host)
	if err != nil {
		return err
	}
	id := uuid.MustParse(userID)
	return tenant.ChangeUser(context.Background(), id, func(tx *tenantdb.Client) error { return do(tx.User.UpdateOneID(id)) })
}

func setRole(role user.Role) func(*tenantdb.UserUpdateOne) error {
	return func(u *tenantdb.UserUpdateOne) error { return u.SetRole(role).Exec(context.Background()) }
}

func setActive(active bool) func(*tenantdb.UserUpdateOne) error {
	return func(u *tenantdb.UserUpdateOne) error { return u.SetIsActive(active).Exec(context.Background()) }
}

// A user who is changed is so at once where that was done, though others look meanwhile, and soon elsewhere.
func TestUserChangesAreHeard(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 2)
	here, there := all[0], all[1]
	run(t, conn, insertSchool("oak", "oak.example")+testkit.Tenant(t).CreateScript("school_oak"))
	run(t, conn, insertUser("school_oak"))
	busy, stop := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	for _, r := range all {
		looking.Go(func() {
			for busy.Err() == nil {
				r.user("oak.example")
			}
		})
	}
	for range 25 {
		for _, c := range []struct {
			do   func(*tenantdb.UserUpdateOne) error
			want string
		}{{setRole(user.RoleStaff), "staff"}, {setActive(false), "off"}, {setActive(true), "staff"}, {setRole(user.RoleAdmin), "admin"}} {
			there.rememberUser(t, "oak.example")
			must(t, here.change("oak.example", c.do))
			if got := here.user("oak.example"); got != c.want {
				t.Fatalf("right after the change: %s, not %s", got, c.want)
			}
			took := eventually(t, c.want+" on the other replica", func() bool { return there.user("oak.example") == c.want })
			t.Logf("%s: within %s", c.want, took)
		}
	}
	stop()
	looking.Wait()
	failed := errors.New("on second thoughts")
	if err := here.change("oak.example", func(u *tenantdb.UserUpdateOne) error {
		return errors.Join(u.SetIsActive(false).Exec(context.Background()), failed)
	}); !errors.Is(err, failed) || here.user("oak.example") != "admin" {
		t.Errorf("a change that was given up: %v, %s", err, here.user("oak.example"))
	}
}

// Users are believed only while changes are heard, no longer than their time, and never that there is none.
func TestUsersThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r := all[0]
	run(t, conn, insertSchool("oak", "oak.example")+insertSchool("elm", "elm.example"))
	run(t, conn, testkit.Tenant(t).CreateScript("school_oak")+testkit.Tenant(t).CreateScript("school_elm"))
	is := func(when, want string) {
		t.Helper()
		if got := r.user("oak.example"); got != want {
			t.Errorf("%s: %s, not %s", when, got, want)
		}
	}
	is("no user", "none")
	is("still none", "none")
	run(t, conn, insertUser("school_oak"))
	is("a user at last", "admin")
	if got := r.user("elm.example"); got != "none" {
		t.Errorf("in another school: %s", got)
	}
	r.rememberUser(t, "oak.example")
	run(t, conn, "UPDATE school_oak.users SET role = 'staff'") // which nobody announces
	r.Beat(tenancy.RowBeats - 1)
	is("before their time has passed", "admin")
	r.Beat(1)
	is("after it", "staff")
	r.rememberUser(t, "oak.example")
	const lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'homeroom listener';"
	run(t, conn, lose+"UPDATE school_oak.users SET is_active = false")
	eventually(t, "what nobody heard", func() bool { return r.user("oak.example") == "off" })
	eventually(t, "it hears again", r.Trusts)
	is("after a time without hearing", "off")

	deaf, pool := overPool(t, conn.Config().ConnString())
	t.Cleanup(func() { must(t, deaf.Close()) })
	r = replica{deaf, pool}
	is("nobody listens", "off")
	run(t, conn, "UPDATE school_oak.users SET is_active = true")
	is("still nobody", "staff")
	must(t, r.change("oak.example", setRole(user.RoleTeacher)))
	is("changed by itself", "teacher")
}

// The users of a school that is not in the primary database are read each time: no change is heard from there.
func TestUsersElsewhere(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r, north := all[0], testkit.EmptyDatabase(t)
	register(t, r.Registry, "north", north, true)
	run(t, conn, insertSchool("oak", "oak.example")+"UPDATE public.clients SET database = 'north', schema_name = 'school_a'")
	testkit.On(t, north, insertUser("school_a"))
	r.remember(t, "oak.example")
	for _, role := range []user.Role{user.RoleAdmin, user.RoleStaff, user.RoleTeacher} {
		testkit.On(t, north, "UPDATE school_a.users SET role = '"+role.String()+"'")
		if got := r.user("oak.example"); got != role.String() {
			t.Errorf("%s, not %s", got, role)
		}
	}
	must(t, r.change("oak.example", setActive(false)))
	if got := r.user("oak.example"); got != "off" {
		t.Errorf("switched off: %s", got)
	}
}

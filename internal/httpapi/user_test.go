package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Whoever gets another role, or is switched off, is so with the very next request where that was done, and soon on
// another replica, though both remember them.
func TestUserWhoIsRemembered(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	replicas := []*world{replica(t, url, ""), replica(t, url, "")}
	here, there := replicas[0], replicas[1]
	school, err := here.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Oak", Code: "oak"})
	must(t, err)
	ada := here.registry.Schema(school.Database, school.SchemaName).User.Create().SetEmail("ada@example.org").SetFullName("Ada").SetRole(auth.RoleStaff).SaveX(t.Context())
	theirs, _, err := here.tokens.ForSchool(school.ID, auth.Principal{Name: "user:" + ada.ID.String(), Role: auth.RoleStaff}, time.Hour)
	must(t, err)
	me := func(w *world) *httptest.ResponseRecorder {
		return w.ask(http.MethodGet, "oak.test", "/api/v1/me/", "Authorization", "Bearer "+theirs)
	}
	flips := 0
	remembers := func(w *world) bool { // a change that nobody announces shows whether the row is read
		me(w)
		flips++
		role := []string{auth.RoleStudent, auth.RoleTeacher}[flips%2]
		testkit.On(t, url, "UPDATE school_oak.users SET role = '"+role+"'")
		return !strings.Contains(me(w).Body.String(), role)
	}
	soon := func(what string, is func() bool) {
		start := time.Now()
		for !is() {
			if time.Since(start) > atOnce {
				t.Fatal("never: " + what)
			}
		}
		t.Logf("%s: within %s", what, time.Since(start))
	}
	for _, c := range []struct {
		change, holds string
		status        int
	}{
		{`{"role": "guardian"}`, `"role":"guardian"`, 200},
		{`{"is_active": false}`, `"code":"unauthenticated"`, 401},
		{`{"is_active": true, "role": "admin"}`, `"role":"admin"`, 200},
	} {
		for i, w := range replicas {
			if me(w).Code == http.StatusOK {
				soon(fmt.Sprintf("replica %d remembers", i), func() bool { return remembers(w) })
			}
		}
		if answer := here.send(http.MethodPatch, "oak.test", "/api/v1/users/"+ada.ID.String()+"/", here.tokenOf(t, "oak"), c.change); answer.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", c.change, answer.Code, answer.Body)
		}
		if answer := me(here); answer.Code != c.status || !strings.Contains(answer.Body.String(), c.holds) {
			t.Errorf("right after %s: %d %s", c.change, answer.Code, answer.Body)
		}
		soon(c.change+" on another replica", func() bool { return me(there).Code == c.status && strings.Contains(me(there).Body.String(), c.holds) })
	}
}

package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// outage is a running service whose schools are on more than one server: oak on primary.
type outage struct {
	*world
	tokens map[string]string
}

// outageOf runs a service over the primary database at url until the test ends.
func outageOf(t *testing.T, url string) *outage {
	t.Helper()
	registry := tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- registry.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ran)
	})
	o := &outage{worldOf(t, registry), map[string]string{}}
	o.enrol(t, "oak")
	return o
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// migrated returns the URL of a new database of a server with the public schema.
func migrated(t *testing.T, server *embedded.Server) string {
	t.Helper()
	testkit.On(t, server.URL("postgres"), "CREATE DATABASE home")
	conn, err := pgx.Connect(t.Context(), server.URL("home"))
	must(t, err)
	_, err = testkit.Public(t).Apply(t.Context(), conn, "public")
	must(t, err)
	must(t, conn.Close(t.Context()))
	return server.URL("home")
}

// register registers a database.
func (o *outage) register(t *testing.T, name, url string) {
	t.Helper()
	_, err := o.platform.AddDatabase(t.Context(), platform.Shell, platform.NewDatabase{Name: name, DatabaseChange: platform.DatabaseChange{URL: url, IsActive: true}})
	must(t, err)
}

// create makes a school on a registered database.
func (o *outage) create(t *testing.T, code, database, isolation string) {
	t.Helper()
	_, err := o.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: code, Code: code, Database: database, Isolation: isolation})
	must(t, err)
	o.enrol(t, code)
}

// enrol gives a school a student, whose number is the school's code, and a token to read it with.
func (o *outage) enrol(t *testing.T, code string) {
	t.Helper()
	row, err := o.platform.SchoolByCode(t.Context(), code)
	must(t, err)
	must(t, o.registry.Schema(tenancy.DatabaseOf(row), row.SchemaName).Student.Create().SetAdmissionNumber("of-"+code).SetFirstName("A").SetLastName("B").Exec(t.Context()))
	o.tokens[code], _, err = o.world.tokens.ForSchool(row.ID, auth.Principal{Name: "test", Role: auth.RoleAdmin}, time.Hour)
	must(t, err)
}

// students lists the students of a school.
func (o *outage) students(code string) *httptest.ResponseRecorder {
	return o.ask(http.MethodGet, code+".test", "/api/v1/students/", "Authorization", "Bearer "+o.tokens[code])
}

// schools lists the schools, as the system API does.
func (o *outage) schools() *httptest.ResponseRecorder {
	return o.ask(http.MethodGet, "localhost", "/api/v1/system/schools/", "Authorization", "Bearer "+o.key)
}

// wrong says what is wrong with an answer: 200 holds the text, 503 says that the database is
// unavailable and when to come again.
func wrong(answer *httptest.ResponseRecorder, status int, holds string) string {
	body := answer.Body.String()
	retry, _ := strconv.Atoi(answer.Header().Get("Retry-After"))
	switch {
	case answer.Code != status:
	case status == http.StatusOK && strings.Contains(body, holds):
		return ""
	case status == http.StatusServiceUnavailable && retry > 0 && strings.Contains(body, `"code":"database-unavailable"`) &&
		answer.Header().Get("Content-Type") == "application/problem+json":
		return ""
	}
	return strconv.Itoa(answer.Code) + " " + answer.Header().Get("Retry-After") + " " + body
}

// atOnce is how soon an answer comes that waits for nobody; the machine may be busy.
const atOnce = 2 * time.Second

// expect holds that several requests to each school at once are answered so, and soon.
func (o *outage) expect(t *testing.T, when string, status int, codes ...string) {
	t.Helper()
	var all sync.WaitGroup
	for _, code := range codes {
		for range 6 {
			all.Go(func() {
				start := time.Now()
				if w := wrong(o.students(code), status, `"of-`+code+`"`); w != "" || time.Since(start) > atOnce {
					t.Errorf("%s, %s after %v: %s", when, code, time.Since(start), w)
				}
			})
		}
	}
	all.Wait()
}

func (o *outage) expectSystem(t *testing.T, when string, status int) {
	t.Helper()
	start := time.Now()
	if w := wrong(o.schools(), status, `"code":"oak"`); w != "" || time.Since(start) > atOnce {
		t.Errorf("%s, the system API after %v: %s", when, time.Since(start), w)
	}
}

// answers waits until the schools answer again.
func (o *outage) answers(t *testing.T, codes ...string) {
	t.Helper()
	for _, code := range codes {
		eventually(t, func() bool { return o.students(code).Code == http.StatusOK })
	}
}

// under runs do while requests to the schools go on, none of which may end but well or with 503.
func (o *outage) under(t *testing.T, do func(), codes ...string) {
	t.Helper()
	var load sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for _, code := range codes {
		for range 2 {
			load.Go(func() {
				for ctx.Err() == nil {
					if answer := o.students(code); wrong(answer, http.StatusOK, `"of-`+code+`"`) != "" && wrong(answer, http.StatusServiceUnavailable, "") != "" {
						t.Errorf("%s: %d %v %s", code, answer.Code, answer.Header(), answer.Body)
						return
					}
				}
			})
		}
	}
	do()
	stop()
	load.Wait()
}

// Whichever server goes away, its schools alone are answered 503, at once; when it is back, so are they,
// and the service has not been restarted.
func TestServersGoAway(t *testing.T) {
	t.Parallel()
	first, startFirst := testkit.SecondServer(t)
	second, startSecond := testkit.SecondServer(t)
	home := migrated(t, first)
	testkit.On(t, second.URL("postgres"), "CREATE DATABASE north")
	o := outageOf(t, home)
	o.register(t, "north", second.URL("north"))
	o.create(t, "elm", "north", "schema")
	o.create(t, "ash", "north", "database")
	o.expect(t, "at first", http.StatusOK, "oak", "elm", "ash")
	if answer := o.students("nobody"); answer.Code != http.StatusNotFound { // and that is remembered
		t.Error(answer.Code, answer.Body)
	}

	o.under(t, func() { must(t, second.Close()) }, "oak", "elm", "ash")
	for range 3 {
		o.expect(t, "second gone", http.StatusServiceUnavailable, "elm", "ash")
		o.expect(t, "second gone", http.StatusOK, "oak")
		o.expectSystem(t, "second gone", http.StatusOK)
	}
	startSecond()
	o.answers(t, "elm", "ash")
	o.expect(t, "second back", http.StatusOK, "oak", "elm", "ash")

	o.under(t, func() { must(t, first.Close()) }, "oak", "elm", "ash")
	for range 3 {
		o.expect(t, "primary gone", http.StatusOK, "elm", "ash")
		o.expect(t, "primary gone", http.StatusServiceUnavailable, "oak", "nobody")
		o.expectSystem(t, "primary gone", http.StatusServiceUnavailable)
	}
	o.registry.Forget("north") // as if idle, so that the pools are opened anew
	o.expect(t, "primary gone, pools opened anew", http.StatusOK, "elm", "ash")
	startFirst()
	testkit.On(t, home, "UPDATE public.clients SET is_active = false WHERE code = 'elm'")
	eventually(t, func() bool { return o.students("elm").Code == http.StatusForbidden })
	o.answers(t, "oak")
	o.expectSystem(t, "primary back", http.StatusOK)
	testkit.On(t, home, "UPDATE public.clients SET is_active = true WHERE code = 'elm'")
	testkit.On(t, home, "UPDATE public.domains SET domain = 'rowan.test' WHERE domain = 'ash.test'")
	eventually(t, func() bool { return o.students("ash").Code == http.StatusNotFound })
	o.answers(t, "elm")
	o.tokens["rowan"] = o.tokens["ash"]
	if w := wrong(o.students("rowan"), http.StatusOK, `"of-ash"`); w != "" {
		t.Error("a domain of another name: " + w)
	}
}

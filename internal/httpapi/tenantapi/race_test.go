package tenantapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/internal/school"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// together sends n requests at once and returns how many were answered with each status.
func together(t *testing.T, n int, send func(i int) (reply, error)) map[int]int {
	t.Helper()
	replies, errs := make([]reply, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { replies[i], errs[i] = send(i) })
	}
	group.Wait()
	statuses := map[int]int{}
	for i, r := range replies {
		must(t, errs[i])
		statuses[r.status]++
	}
	return statuses
}

func TestOneOfManyWritersWins(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	one := p.fill(t).path("students")
	tag := "If-Match: " + p.call(t, "GET", one, nil).header.Get("ETag")
	got := together(t, 8, func(i int) (reply, error) { return p.try("PATCH", one, object{"first_name": fmt.Sprint(i)}, tag) })
	if got[200] != 1 || got[412] != 7 {
		t.Errorf("statuses %v", got)
	}
}

func TestPatchesDoNotUndoOneAnother(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	one := p.fill(t).path("students")
	patches := []object{{"first_name": "A"}, {"middle_name": "B"}, {"last_name": "C"}, {"grade_level": "9"}, {"phone": "555 0100"}}
	got := together(t, len(patches), func(i int) (reply, error) { return p.try("PATCH", one, patches[i]) })
	if got[200] != len(patches) {
		t.Errorf("statuses %v", got)
	}
	p.call(t, "GET", one, nil).want(t, 200, `"first_name":"A","middle_name":"B","last_name":"C"`, `"grade_level":"9"`, `"phone":"555 0100"`)
}

func TestLastSeat(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	class := p.add(t, "classes", object{"name": "Small", "capacity": 3})
	students := make([]string, 8)
	for i := range students {
		students[i] = p.add(t, "students", object{"admission_number": fmt.Sprint(i), "first_name": "x", "last_name": "y"})
	}
	got := together(t, len(students), func(i int) (reply, error) {
		return p.try("POST", "enrollments/", object{"student_id": students[i], "class_id": class})
	})
	if got[201] != 3 || got[422] != 5 {
		t.Errorf("statuses %v", got)
	}
	one := "classes/" + class + "/"
	p.call(t, "PATCH", one, object{"capacity": 2}).want(t, 422, "body.capacity")
	p.call(t, "PATCH", one, object{"capacity": 4}).want(t, 200)
	taken := p.call(t, "GET", "enrollments/?status=active&limit=1", nil).ids(t)[0]
	p.call(t, "PATCH", "enrollments/"+taken+"/", object{"status": "withdrawn"}).want(t, 200)
	p.call(t, "PATCH", one, object{"capacity": 2}).want(t, 200)
	p.call(t, "PATCH", "enrollments/"+taken+"/", object{"status": "active"}).want(t, 422, "body.class_id")
	p.call(t, "PATCH", one, object{"capacity": nil}).want(t, 200, `"capacity":null`)
	p.call(t, "PATCH", "enrollments/"+taken+"/", object{"status": "active"}).want(t, 200)
}

// during sends a request while a transaction with a change is open, and commits it once the request
// waits for it, or is answered already.
func (p *place) during(t *testing.T, change func(*tenantdb.Client) error, method, path string, body any) reply {
	t.Helper()
	type outcome struct {
		reply
		err error
	}
	answered := make(chan outcome, 1)
	must(t, tenancy.InTx(t.Context(), p.tenant.DB, func(tx *tenantdb.Client) error {
		if err := change(tx); err != nil {
			return err
		}
		go func() {
			r, err := p.try(method, path, body)
			answered <- outcome{r, err}
		}()
		const waiting = `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		for waits := false; !waits && len(answered) == 0; {
			err := p.pool.With(t.Context(), func(conn *pgx.Conn) error { return conn.QueryRow(t.Context(), waiting).Scan(&waits) })
			if err != nil {
				return err
			}
		}
		return nil
	}))
	got := <-answered
	must(t, got.err)
	return got.reply
}

func TestSeatTakenMeanwhile(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	class := p.add(t, "classes", object{"name": "Small", "capacity": 1})
	second := p.add(t, "students", object{"admission_number": "2", "first_name": "x", "last_name": "y"})
	p.during(t, func(tx *tenantdb.Client) error {
		create := tx.Enrollment.Create().SetStudentID(uuid.MustParse(r.student)).SetClassID(uuid.MustParse(class)).SetStatus(enrollment.StatusActive)
		if err := school.Check(t.Context(), tx, create.Mutation()); err != nil {
			return err
		}
		return create.Exec(t.Context())
	}, "POST", "enrollments/", object{"student_id": second, "class_id": class}).want(t, 422, "body.class_id")
	if ids := p.call(t, "GET", "enrollments/?class_id="+class, nil).ids(t); len(ids) != 1 {
		t.Errorf("%d enrollments for one seat", len(ids))
	}
}

func TestYearShortenedMeanwhile(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	p.during(t, func(tx *tenantdb.Client) error {
		return tx.AcademicYear.UpdateOneID(uuid.MustParse(r.year)).SetEndsOn(time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)).Exec(t.Context())
	}, "PATCH", r.path("terms"), object{"ends_on": "2027-07-15"}).want(t, 422, "body.ends_on")
}

func TestTermExtendedMeanwhile(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	p.during(t, func(tx *tenantdb.Client) error {
		update := tx.Term.UpdateOneID(uuid.MustParse(r.term)).SetAcademicYearID(uuid.MustParse(r.year)).SetName("Term 1").
			SetStartsOn(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)).SetEndsOn(time.Date(2027, 7, 15, 0, 0, 0, 0, time.UTC))
		if err := school.Check(t.Context(), tx, update.Mutation()); err != nil {
			return err
		}
		return update.Exec(t.Context())
	}, "PATCH", r.path("academic-years"), object{"ends_on": "2027-07-01"}).want(t, 422, "body.ends_on")
}

// TestImportedFieldsStay changes rows that have more to them than the API shows.
func TestImportedFieldsStay(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	ctx, db := t.Context(), p.tenant.DB
	r := p.fill(t)
	id := uuid.MustParse(r.student)
	must(t, db.Student.UpdateOneID(id).SetSourceID("s-1").SetRace("White").SetIsHispanic(true).SetPostalCode("27401").SetUsername("ao").Exec(ctx))
	must(t, db.Class.UpdateOneID(uuid.MustParse(r.class)).SetSourceID("c-1").Exec(ctx))
	p.call(t, "PUT", r.path("students"), object{"admission_number": "A-1", "first_name": "Amina", "last_name": "New"}).want(t, 200)
	p.call(t, "PATCH", r.path("students"), object{"middle_name": "M"}).want(t, 200)
	p.call(t, "PUT", r.path("classes"), object{"name": "New"}).want(t, 200)
	student, err := db.Student.Get(ctx, id)
	must(t, err)
	if student.LastName != "New" || *student.SourceID != "s-1" || *student.Race != "White" || !*student.IsHispanic || *student.PostalCode != "27401" || *student.Username != "ao" {
		t.Errorf("%v", student)
	}
	class, err := db.Class.Get(ctx, uuid.MustParse(r.class))
	must(t, err)
	if class.Name != "New" || *class.SourceID != "c-1" {
		t.Errorf("%v", class)
	}
}

// TestStudentLeavesGuardians deletes a student whose guardian somebody has in a cache.
func TestStudentLeavesGuardians(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	before := p.call(t, "GET", r.path("guardians"), nil).want(t, 200, r.student)
	p.call(t, "DELETE", r.path("enrollments"), nil).want(t, 204)
	p.call(t, "DELETE", r.path("students"), nil).want(t, 204)
	p.call(t, "GET", r.path("guardians"), nil, "If-None-Match: "+before.header.Get("ETag")).want(t, 200, `"students":[]`)
	p.call(t, "PATCH", r.path("guardians"), "{}", "If-Match: "+before.header.Get("ETag")).want(t, http.StatusPreconditionFailed)
}

// TestLinksKeepTheirOrder gives lists of links in an order that is no order of ids.
func TestLinksKeepTheirOrder(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	var staff []object
	for i := range 5 {
		id := p.add(t, "staff", object{"staff_number": fmt.Sprint(i), "first_name": "x", "last_name": "y"})
		staff = append([]object{{"staff_id": id}}, staff...)
	}
	for range 2 {
		p.call(t, "PATCH", r.path("classes"), object{"teachers": staff}).want(t, 200, fmt.Sprintf(`"teachers":[{"staff_id":"%s"},{"staff_id":"%s"}`, staff[0]["staff_id"], staff[1]["staff_id"]))
		staff[0], staff[1] = staff[1], staff[0]
	}
}

// TestListsAskOnce counts the queries of lists whose rows are shown with others.
func TestListsAskOnce(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	for i := range 5 {
		p.add(t, "classes", object{"name": fmt.Sprint(i), "teachers": []object{{"staff_id": r.staff}}})
		p.add(t, "guardians", object{"full_name": fmt.Sprint(i), "students": []object{{"student_id": r.student, "relationship": "Aunt"}}})
	}
	queries := 0
	p.tenant.DB.Intercept(tenantdb.InterceptFunc(func(next tenantdb.Querier) tenantdb.Querier {
		return tenantdb.QuerierFunc(func(ctx context.Context, q tenantdb.Query) (tenantdb.Value, error) {
			queries++
			return next.Query(ctx, q)
		})
	}))
	for _, nouns := range []string{"classes", "guardians"} {
		queries = 0
		answer := p.call(t, "GET", nouns+"/", nil).want(t, 200)
		if links := strings.Count(answer.text, r.staff) + strings.Count(answer.text, r.student); queries != 2 || links != 6 {
			t.Errorf("%s: %d queries for %d links", nouns, queries, links)
		}
	}
}

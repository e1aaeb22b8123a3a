package tenantapi_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what one school should hold.
type model struct {
	*place
	students    map[string]string // id to admission number
	classes     map[string]int    // id to capacity
	enrollments map[string]seat
}

type seat struct{ student, class string }

// TestSchoolsStayApart does the same things in two schools, in any order, and often with the ids of the
// other one. Each school's lists then hold exactly what was done in it.
func TestSchoolsStayApart(t *testing.T) {
	t.Parallel()
	a, b := places(t)
	rapid.Check(t, func(rt *rapid.T) {
		schools := []*model{newModel(rt, a), newModel(rt, b)}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			here := rapid.IntRange(0, 1).Draw(rt, "school")
			actions := []func(*rapid.T, *model, *model){addStudent, addStudent, addClass, enroll, enroll, renumber, removeStudent, leaveClass}
			rapid.SampledFrom(actions).Draw(rt, "action")(rt, schools[here], schools[1-here])
		}
		for _, m := range schools {
			m.check(rt)
		}
	})
}

func newModel(t *rapid.T, p *place) *model {
	ctx, db := context.Background(), p.tenant.DB
	_, err := db.Enrollment.Delete().Exec(ctx)
	must(t, err)
	_, err = db.Student.Delete().Exec(ctx)
	must(t, err)
	_, err = db.Class.Delete().Exec(ctx)
	must(t, err)
	return &model{p, map[string]string{}, map[string]int{}, map[string]seat{}}
}

// some returns an id of either school, of none if both have none.
func some[V any](t *rapid.T, here, there map[string]V) string {
	ids := slices.Concat(slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(there)))
	return rapid.SampledFrom(append(ids, "01890a5d-ac96-774b-bcce-b302099a8057")).Draw(t, "id")
}

func number(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(1, 6).Draw(t, "number")) }

func (m *model) taken(number, except string) bool {
	for id, other := range m.students {
		if other == number && id != except {
			return true
		}
	}
	return false
}

func addStudent(t *rapid.T, m, _ *model) {
	n := number(t)
	answer := m.call(t, "POST", "students/", object{"admission_number": n, "first_name": "x", "last_name": "y"})
	if m.taken(n, "") {
		answer.want(t, 409)
		return
	}
	m.students[answer.want(t, 201).id()] = n
}

func addClass(t *rapid.T, m, _ *model) {
	capacity := rapid.IntRange(1, 2).Draw(t, "capacity")
	m.classes[m.add(t, "classes", object{"name": "x", "capacity": capacity})] = capacity
}

func enroll(t *rapid.T, m, other *model) {
	s := seat{some(t, m.students, other.students), some(t, m.classes, other.classes)}
	answer := m.call(t, "POST", "enrollments/", object{"student_id": s.student, "class_id": s.class})
	taken, again := 0, false
	for _, old := range m.enrollments {
		again = again || old == s
		if old.class == s.class {
			taken++
		}
	}
	_, known := m.students[s.student]
	switch capacity, held := m.classes[s.class]; {
	case !held || taken >= capacity || !known:
		answer.want(t, 422)
	case again:
		answer.want(t, 409)
	default:
		m.enrollments[answer.want(t, 201).id()] = s
	}
}

func renumber(t *rapid.T, m, other *model) {
	id, n := some(t, m.students, other.students), number(t)
	answer := m.call(t, "PATCH", "students/"+id+"/", object{"admission_number": n})
	switch _, held := m.students[id]; {
	case !held:
		answer.want(t, 404)
	case m.taken(n, id):
		answer.want(t, 409)
	default:
		answer.want(t, 200)
		m.students[id] = n
	}
}

func removeStudent(t *rapid.T, m, other *model) {
	id := some(t, m.students, other.students)
	answer := m.call(t, "DELETE", "students/"+id+"/", nil)
	_, held := m.students[id]
	enrolled := false
	for _, s := range m.enrollments {
		enrolled = enrolled || s.student == id
	}
	switch {
	case !held:
		answer.want(t, 404)
	case enrolled:
		answer.want(t, 409)
	default:
		answer.want(t, 204)
		delete(m.students, id)
	}
}

func leaveClass(t *rapid.T, m, other *model) {
	id := some(t, m.enrollments, other.enrollments)
	answer := m.call(t, "DELETE", "enrollments/"+id+"/", nil)
	if _, held := m.enrollments[id]; !held {
		answer.want(t, 404)
		return
	}
	answer.want(t, 204)
	delete(m.enrollments, id)
}

func (m *model) check(t *rapid.T) {
	for nouns, want := range map[string][]string{
		"students": slices.Sorted(maps.Keys(m.students)), "classes": slices.Sorted(maps.Keys(m.classes)),
		"enrollments": slices.Sorted(maps.Keys(m.enrollments)),
	} {
		page := m.call(t, "GET", nouns+"/?limit=200&sort=created_at", nil)
		got := page.ids(t)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: got %v, want %v", nouns, got, want)
		}
		for _, item := range page.object["items"].([]any) {
			row := item.(object)
			id := row["id"].(string)
			if nouns == "students" && row["admission_number"] != m.students[id] ||
				nouns == "enrollments" && (seat{row["student_id"].(string), row["class_id"].(string)}) != m.enrollments[id] {
				t.Fatalf("%v is not as it was left", row)
			}
		}
	}
}

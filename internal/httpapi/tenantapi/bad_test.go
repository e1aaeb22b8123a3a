package tenantapi_test

import (
	"strings"
	"testing"
)

// bodies returns a valid body of each noun, of records other than those of r.
func bodies(r records, student string) map[string]object {
	return map[string]object{
		"academic-years": {"name": "2030", "starts_on": "2030-01-01", "ends_on": "2030-12-31"},
		"terms":          {"academic_year_id": r.year, "name": "Term 9", "starts_on": "2027-02-01", "ends_on": "2027-03-01"},
		"subjects":       {"name": "Latin"},
		"staff":          {"staff_number": "T-9", "first_name": "Ida", "last_name": "Ek"},
		"classes":        {"name": "Latin 1"},
		"students":       {"admission_number": "A-9", "first_name": "Ida", "last_name": "Ek"},
		"guardians":      {"full_name": "Ida Ek"},
		"enrollments":    {"student_id": student, "class_id": r.class},
	}
}

func with(body object, more object) object {
	all := object{}
	for _, part := range []object{body, more} {
		for name, value := range part {
			all[name] = value
		}
	}
	return all
}

// TestBadRequests sends to every endpoint what none of them takes, and finds nothing changed.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	r, foreign := p.fill(t), other.fill(t)
	valid := bodies(r, p.add(t, "students", object{"admission_number": "A-8", "first_name": "x", "last_name": "y"}))
	required := map[string]string{
		"academic-years": "name", "terms": "name", "subjects": "name", "staff": "last_name", "classes": "name",
		"students": "last_name", "guardians": "full_name", "enrollments": "class_id",
	}
	before, foreignBefore := p.snapshot(t), other.snapshot(t)
	type request struct {
		method, path string
		body         any
		status       int
		holds        string
	}
	for _, nouns := range nouns {
		t.Run(nouns, func(t *testing.T) {
			t.Parallel()
			all, one, field := nouns+"/", r.path(nouns), required[nouns]
			var requests []request
			for _, at := range []struct{ method, path string }{{"POST", all}, {"PUT", one}, {"PATCH", one}} {
				body := func(more object) object { return with(valid[nouns], more) }
				requests = append(requests,
					request{at.method, at.path, `{"name":`, 400, `"code":"malformed-request"`},
					request{at.method, at.path, `[]`, 422, `"location":"body"`},
					request{at.method, at.path, `null`, 422, `"location":"body"`},
					request{at.method, at.path, nil, 400, `"code":"malformed-request"`},
					request{at.method, at.path, body(object{"source_id": "1"}), 422, `"location":"body.source_id"`},
					request{at.method, at.path, body(object{"id": r.year}), 422, `"location":"body.id"`},
					request{at.method, at.path, body(object{field: object{}}), 422, `"location":"body.` + field + `"`},
					request{at.method, at.path, body(object{field: nil}), 422, `"location":"body.` + field + `"`},
					request{at.method, at.path, body(object{field: "a\x00b"}), 422, `"location":"body.` + field + `"`},
					request{at.method, at.path, body(object{field: strings.Repeat("x", 201)}), 422, `"location":"body.` + field + `"`},
					request{at.method, at.path, body(object{field: " \u200b\t"}), 422, `"location":"body.` + field + `"`},
					request{at.method, at.path, body(object{field: "a\u0007b"}), 422, `"location":"body.` + field + `"`},
				)
				if at.method != "PATCH" {
					requests = append(requests, request{at.method, at.path, `{}`, 422, `"location":"body.` + field + `","message":"is required"`})
				}
			}
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				var body any
				if method[0] == 'P' {
					body = valid[nouns]
				}
				requests = append(requests,
					request{method, foreign.path(nouns), body, 404, `"code":"not-found"`},
					request{method, all + "nobody/", body, 422, `"location":"path.id"`},
					request{method, all + "a%00b/", body, 422, `"location":"path.id"`},
					request{method, all + "00000000-0000-0000-0000-000000000000/", body, 404, `"code":"not-found"`},
				)
			}
			for query, holds := range map[string]string{
				"nope=1": "query.nope", "limit=0": "query.limit", "limit=x": "query.limit", "limit=201": "query.limit",
				"sort=id": "query.sort", "sort=source_id": "query.sort", "sort=--created_at": "query.sort",
				"cursor=x": "query.cursor", "cursor=e30": "query.cursor", "cursor=a%00": "query.cursor",
				"cursor=" + strings.Repeat("x", 1025): "query.cursor",
			} {
				requests = append(requests, request{"GET", all + "?" + query, nil, 422, `"location":"` + holds + `"`})
			}
			for _, q := range requests {
				answer := p.call(t, q.method, q.path, q.body)
				if answer.status != q.status || !strings.Contains(answer.text, q.holds) {
					t.Errorf("%s %s %v: want %d with %s, got %d %s", q.method, q.path, q.body, q.status, q.holds, answer.status, answer.text)
				}
			}
		})
	}
	t.Cleanup(func() {
		if p.snapshot(t) != before || other.snapshot(t) != foreignBefore {
			t.Error("a refused request has changed something")
		}
	})
}

// TestRules holds what is refused because of what records are, and finds nothing changed.
func TestRules(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	r, foreign := p.fill(t), other.fill(t)
	second := p.add(t, "students", object{"admission_number": "A-8", "first_name": "x", "last_name": "y"})
	full := p.add(t, "classes", object{"name": "Full", "capacity": 1})
	p.add(t, "enrollments", object{"student_id": second, "class_id": full})
	left := p.add(t, "enrollments", object{"student_id": r.student, "class_id": full, "status": "completed"})
	valid := bodies(r, second)
	many := make([]object, 21)
	for i := range many {
		many[i] = object{"staff_id": r.staff}
	}
	link := func(student string) object { return object{"student_id": student, "relationship": "Aunt"} }
	tests := []struct {
		method, path string
		body         object
		status       int
		holds        string
	}{
		{"POST", "students/", object{"date_of_birth": "2190-01-01"}, 422, "body.date_of_birth"},
		{"POST", "students/", object{"date_of_birth": "2014-02-30"}, 422, "body.date_of_birth"},
		{"POST", "students/", object{"date_of_birth": ""}, 422, "body.date_of_birth"},
		{"POST", "students/", object{"gender": "x"}, 422, "body.gender"},
		{"POST", "students/", object{"status": "gone"}, 422, "body.status"},
		{"POST", "students/", object{"email": "not an address"}, 422, "body.email"},
		{"POST", "students/", object{"email": "Ida <ida@example.org>"}, 422, "body.email"},
		{"POST", "students/", object{"email": "ida@localhost"}, 422, "body.email"},
		{"POST", "students/", object{"phone": "1234"}, 422, "body.phone"},
		{"POST", "students/", object{"phone": strings.Repeat("1", 41)}, 422, "body.phone"},
		{"POST", "students/", object{"admission_number": "A-1"}, 409, `"location":"body.admission_number"`},
		{"POST", "students/", object{"admission_number": " A-1 "}, 409, `"location":"body.admission_number"`},
		{"PATCH", "students/" + second + "/", object{"admission_number": "A-1"}, 409, `"location":"body.admission_number"`},
		{"PUT", "students/" + second + "/", object{"admission_number": "A-1"}, 409, `"location":"body.admission_number"`},
		{"POST", "staff/", object{"staff_number": "T-1"}, 409, `"location":"body.staff_number"`},
		{"POST", "subjects/", object{"code": "MATH-7", "name": "Mathematics"}, 409, `"location":"body.code"`},
		{"POST", "guardians/", object{"students": []object{link(r.student), link(foreign.student)}}, 422, "body.students[1].student_id"},
		{"POST", "guardians/", object{"students": []object{link(r.student), link(r.student)}}, 422, "body.students[1].student_id"},
		{"POST", "guardians/", object{"students": []object{{"student_id": r.student, "relationship": " "}}}, 422, "body.students[0].relationship"},
		{"PATCH", r.path("guardians"), object{"students": []object{link(foreign.student)}}, 422, "body.students[0].student_id"},
		{"POST", "classes/", object{"subject_id": foreign.subject}, 422, "body.subject_id"},
		{"POST", "classes/", object{"term_id": foreign.term}, 422, "body.term_id"},
		{"POST", "classes/", object{"term_id": "nobody"}, 422, "body.term_id"},
		{"POST", "classes/", object{"capacity": 0}, 422, "body.capacity"},
		{"POST", "classes/", object{"capacity": 1.5}, 422, "body.capacity"},
		{"POST", "classes/", object{"teachers": []object{{"staff_id": foreign.staff}}}, 422, "body.teachers[0].staff_id"},
		{"POST", "classes/", object{"teachers": []object{{"staff_id": r.staff}, {"staff_id": r.staff}}}, 422, "body.teachers[1].staff_id"},
		{"POST", "classes/", object{"teachers": many}, 422, "body.teachers"},
		{"PATCH", r.path("classes"), object{"subject_id": foreign.subject}, 422, "body.subject_id"},
		{"POST", "enrollments/", object{"student_id": foreign.student}, 422, "body.student_id"},
		{"POST", "enrollments/", object{"class_id": foreign.class}, 422, "body.class_id"},
		{"POST", "enrollments/", object{"class_id": foreign.class, "status": "completed"}, 422, "body.class_id"},
		{"POST", "enrollments/", object{"student_id": r.student}, 409, "body.student_id"},
		{"POST", "enrollments/", object{"enrolled_on": "2026-09-02", "ended_on": "2026-09-01"}, 422, "body.ended_on"},
		{"PATCH", r.path("enrollments"), object{"student_id": second}, 422, "body.student_id"},
		{"PATCH", r.path("enrollments"), object{"class_id": full}, 422, "body.class_id"},
		{"PUT", r.path("enrollments"), object{}, 422, "body.student_id"},
		{"PATCH", "enrollments/" + left + "/", object{"status": "active"}, 422, "body.class_id"},
		{"POST", "academic-years/", object{"name": "2026-2027"}, 409, "body.name"},
		{"POST", "academic-years/", object{"ends_on": "2030-01-01"}, 422, "body.ends_on"},
		{"PATCH", r.path("academic-years"), object{"starts_on": "2026-09-02"}, 422, "body.starts_on"},
		{"PATCH", r.path("academic-years"), object{"ends_on": "2026-12-17"}, 422, "body.ends_on"},
		{"POST", "terms/", object{"academic_year_id": foreign.year}, 422, "body.academic_year_id"},
		{"POST", "terms/", object{"starts_on": "2027-03-01"}, 422, "body.ends_on"},
		{"POST", "terms/", object{"starts_on": "2026-08-31"}, 422, "body.starts_on"},
		{"POST", "terms/", object{"ends_on": "2027-07-16"}, 422, "body.ends_on"},
		{"POST", "terms/", object{"name": "Term 1"}, 409, "body.name"},
		{"DELETE", r.path("students"), nil, 409, `"code":"conflict"`},
		{"DELETE", r.path("classes"), nil, 409, `"code":"conflict"`},
		{"DELETE", r.path("subjects"), nil, 409, `"code":"conflict"`},
		{"DELETE", r.path("terms"), nil, 409, `"code":"conflict"`},
		{"DELETE", r.path("academic-years"), nil, 409, `"code":"conflict"`},
		{"DELETE", r.path("staff"), nil, 409, `"code":"conflict"`},
		{"GET", "students/?class_id=nobody", nil, 422, "query.class_id"},
		{"GET", "students/?status=gone", nil, 422, "query.status"},
		{"GET", "students/?search=a%00", nil, 422, "query.search"},
		{"GET", "students/?status=active&status=active", nil, 422, "query.status"},
	}
	before := p.snapshot(t)
	for _, test := range tests {
		var body any
		if test.body != nil {
			body = test.body
		}
		if test.method == "POST" || test.method == "PUT" {
			nouns, _, _ := strings.Cut(test.path, "/")
			body = with(valid[nouns], test.body)
		}
		answer := p.call(t, test.method, test.path, body)
		if answer.status != test.status || !strings.Contains(answer.text, test.holds) {
			t.Errorf("%s %s %v: want %d with %s, got %d %s", test.method, test.path, test.body, test.status, test.holds, answer.status, answer.text)
		}
		if after := p.snapshot(t); after != before {
			t.Fatalf("%s %s %v has changed something", test.method, test.path, test.body)
		}
	}
}

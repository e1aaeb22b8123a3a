package tenantapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestLives takes a record of every noun through its whole life.
func TestLives(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	student := p.add(t, "students", object{"admission_number": "A-3", "first_name": "Cy", "last_name": "Ng"})
	lives := []struct {
		nouns    string
		create   object // what a creation needs
		shown    string // of what was created
		replace  object
		replaced string
		patch    string
		patched  string
		twice    bool // a second record of the same content is no conflict
	}{
		{
			nouns:    "students",
			create:   object{"admission_number": " A-2 ", "first_name": "Bo", "last_name": "Lund"},
			shown:    `"admission_number":"A-2","first_name":"Bo","middle_name":null,"last_name":"Lund","date_of_birth":null,"gender":null,"grade_level":null,"status":"active","email":null,"phone":null,"created_at"`,
			replace:  object{"admission_number": "A-2", "first_name": "Bo", "last_name": "Lund", "date_of_birth": "2014-02-28", "gender": "other", "email": "Bo@Example.ORG", "phone": "+46 70 123 45 67", "grade_level": "7", "middle_name": "  "},
			replaced: `"middle_name":null,"last_name":"Lund","date_of_birth":"2014-02-28","gender":"other","grade_level":"7","status":"active","email":"Bo@example.org","phone":"+46 70 123 45 67"`,
			patch:    `{"gender":null,"last_name":"Ek","status":"graduated"}`,
			patched:  `"last_name":"Ek","date_of_birth":"2014-02-28","gender":null,"grade_level":"7","status":"graduated","email":"Bo@example.org"`,
		},
		{
			nouns:    "guardians",
			create:   object{"full_name": "Max Lund"},
			shown:    `"full_name":"Max Lund","email":null,"phone":null,"address":null,"students":[],"created_at"`,
			replace:  object{"full_name": "Max Lund", "address": "1 Way\nTown", "students": []object{{"student_id": r.student, "relationship": " Uncle ", "is_primary": true}}},
			replaced: `"address":"1 Way\nTown","students":[{"student_id":"` + r.student + `","relationship":"Uncle","is_primary":true}]`,
			patch:    `{"phone":"555 0100"}`,
			patched:  `"phone":"555 0100","address":"1 Way\nTown","students":[{"student_id":"` + r.student + `"`,
			twice:    true,
		},
		{
			nouns:    "staff",
			create:   object{"staff_number": "T-2", "first_name": "Eve", "last_name": "Roy"},
			shown:    `"staff_number":"T-2","first_name":"Eve","middle_name":null,"last_name":"Roy","title":null,"status":"active","email":null,"phone":null,"created_at"`,
			replace:  object{"staff_number": "T-2", "first_name": "Eve", "last_name": "Roy", "title": "Head", "status": "on_leave"},
			replaced: `"title":"Head","status":"on_leave"`,
			patch:    `{"title":null,"status":null}`,
			patched:  `"title":null,"status":"active"`,
		},
		{
			nouns:    "subjects",
			create:   object{"name": "Art", "code": "ART"},
			shown:    `"code":"ART","name":"Art","description":null,"created_at"`,
			replace:  object{"name": "Art", "description": "Colours.\nForms."},
			replaced: `"code":null,"name":"Art","description":"Colours.\nForms."`,
			patch:    `{"code":"ART-1"}`,
			patched:  `"code":"ART-1","name":"Art","description":"Colours.\nForms."`,
		},
		{
			nouns:    "classes",
			create:   object{"name": "Art 1"},
			shown:    `"name":"Art 1","subject_id":null,"term_id":null,"grade_level":null,"period":null,"room":null,"capacity":null,"teachers":[],"created_at"`,
			replace:  object{"name": "Art 1", "subject_id": r.subject, "capacity": 2, "teachers": []object{{"staff_id": r.staff}}},
			replaced: `"subject_id":"` + r.subject + `","term_id":null,"grade_level":null,"period":null,"room":null,"capacity":2,"teachers":[{"staff_id":"` + r.staff + `"}]`,
			patch:    `{"teachers":[],"capacity":1,"room":"B1"}`,
			patched:  `"room":"B1","capacity":1,"teachers":[]`,
			twice:    true,
		},
		{
			nouns:    "academic-years",
			create:   object{"name": "2027", "starts_on": "2027-01-01", "ends_on": "2027-12-31"},
			shown:    `"name":"2027","starts_on":"2027-01-01","ends_on":"2027-12-31","created_at"`,
			replace:  object{"name": "The year 2027", "starts_on": "2027-01-02", "ends_on": "2027-12-31"},
			replaced: `"name":"The year 2027","starts_on":"2027-01-02"`,
			patch:    `{"ends_on":"2028-01-01"}`,
			patched:  `"ends_on":"2028-01-01"`,
		},
		{
			nouns:    "terms",
			create:   object{"academic_year_id": r.year, "name": "Term 2", "starts_on": "2027-01-10", "ends_on": "2027-04-01"},
			shown:    `"academic_year_id":"` + r.year + `","name":"Term 2","starts_on":"2027-01-10","ends_on":"2027-04-01","created_at"`,
			replace:  object{"academic_year_id": r.year, "name": "Spring", "starts_on": "2027-01-10", "ends_on": "2027-04-01"},
			replaced: `"name":"Spring"`,
			patch:    `{"ends_on":"2027-07-15"}`,
			patched:  `"name":"Spring","starts_on":"2027-01-10","ends_on":"2027-07-15"`,
		},
		{
			nouns:    "enrollments",
			create:   object{"student_id": student, "class_id": r.class},
			shown:    `"student_id":"` + student + `","class_id":"` + r.class + `","status":"active","enrolled_on":null,"ended_on":null,"created_at"`,
			replace:  object{"student_id": student, "class_id": r.class, "enrolled_on": "2026-09-01"},
			replaced: `"status":"active","enrolled_on":"2026-09-01","ended_on":null`,
			patch:    `{"status":"withdrawn","ended_on":"2026-09-01"}`,
			patched:  `"status":"withdrawn","enrolled_on":"2026-09-01","ended_on":"2026-09-01"`,
		},
	}
	for _, life := range lives {
		t.Run(life.nouns, func(t *testing.T) {
			t.Parallel()
			all := life.nouns + "/"
			made := p.call(t, "POST", all, life.create).want(t, http.StatusCreated, life.shown)
			one := all + made.id() + "/"
			if got := made.header.Get("Location"); got != "/api/v1/"+one {
				t.Errorf("Location %s", got)
			}
			got := p.call(t, "GET", one, nil).want(t, 200)
			if got.text != made.text || got.header.Get("ETag") != made.header.Get("ETag") {
				t.Errorf("created %s %s\ngot     %s %s", made.header.Get("ETag"), made.text, got.header.Get("ETag"), got.text)
			}
			p.call(t, "GET", one, nil, "If-None-Match: "+made.header.Get("ETag")).want(t, http.StatusNotModified)
			if !life.twice {
				p.call(t, "POST", all, life.create).want(t, http.StatusConflict, `"code":"conflict"`, `"location":"body.`)
			}

			replaced := p.call(t, "PUT", one, life.replace, "If-Match: "+made.header.Get("ETag")).want(t, 200, life.replaced)
			p.call(t, "GET", one, nil, "If-None-Match: "+made.header.Get("ETag")).want(t, 200, strings.TrimSpace(replaced.text))
			patched := p.call(t, "PATCH", one, life.patch, "Content-Type: application/merge-patch+json", "If-Match: "+replaced.header.Get("ETag")).
				want(t, 200, life.patched)
			p.call(t, "GET", one, nil).want(t, 200, strings.TrimSpace(patched.text))
			if page := p.call(t, "GET", all+"?limit=200", nil).want(t, 200); !strings.Contains(page.text, strings.TrimSpace(patched.text)) {
				t.Errorf("the list lacks it: %s", page.text)
			}

			for method, body := range map[string]any{"PUT": life.replace, "PATCH": "{}", "DELETE": nil} {
				p.call(t, method, one, body, "If-Match: "+made.header.Get("ETag")).want(t, http.StatusPreconditionFailed, `"code":"precondition-failed"`)
			}
			p.call(t, "GET", one, nil, "If-None-Match: "+patched.header.Get("ETag")).want(t, http.StatusNotModified)
			p.call(t, "DELETE", one, nil, "If-Match: "+patched.header.Get("ETag")).want(t, http.StatusNoContent)
			for _, method := range []string{"GET", "DELETE"} {
				p.call(t, method, one, nil).want(t, http.StatusNotFound, `"code":"not-found"`)
			}
			p.call(t, "PUT", one, life.replace).want(t, http.StatusNotFound)
			p.call(t, "PATCH", one, "{}").want(t, http.StatusNotFound)
		})
	}
}

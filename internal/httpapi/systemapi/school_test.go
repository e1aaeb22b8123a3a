package systemapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestCreateSchool(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tests := []struct {
		body  string
		wants []string
	}{
		{
			`{"name":"Minimal","code":"min-1"}`,
			[]string{
				`"schema_name":"school_min_1"`, `"isolation":"schema","database":"primary","setup_progress":"not_started","is_active":true,"state":"ready"`,
				`"domain":"min-1.base.example","is_primary":true`, "Location: /api/v1/system/schools/", "Etag: ",
			},
		},
		{
			`{"name":"Full","code":"full","schema_name":"tenant_7","isolation":"schema","database":"primary","contacted_by":"Ada",
			"domains":[{"domain":"WWW.Full.Example.","is_primary":false},{"domain":"full.example","is_primary":true}]}`,
			[]string{`"schema_name":"tenant_7"`, `"domain":"www.full.example","is_primary":false`, `"domain":"full.example","is_primary":true`},
		},
		{`{"name":"Strings","code":"strings","domains":["s1.example","s2.example"]}`, []string{`"s1.example","is_primary":true`, `"s2.example","is_primary":false`}},
		{`{"name":"Mixed","code":"mixed","domains":["m1.example",{"domain":"m2.example","is_primary":true}]}`, []string{`"m1.example","is_primary":false`, `"m2.example","is_primary":true`}},
		{`{"name":"Bücher","code":"idna","domains":["BÜCHER.example"]}`, []string{`"name":"Bücher"`, `"xn--bcher-kva.example","is_primary":true`}},
		{`{"name":"None","code":"nulls","schema_name":null,"domains":null,"contacted_by":null}`, []string{`"schema_name":"school_nulls"`, `"nulls.base.example"`}},
		{`{"name":"Empty","code":"empty","domains":[]}`, []string{`"empty.base.example"`}},
		{`{"name":"` + strings.Repeat("x", 200) + `","code":"` + strings.Repeat("c", 40) + `","schema_name":"` + strings.Repeat("s", 63) + `"}`, []string{strings.Repeat("s", 63)}},
		{`{"name":"Quote ' \" \\ ; -- %s $1","code":"quotes"}`, []string{`"name":"Quote ' \" \\ ; -- %s $1"`}},
	}
	for _, test := range tests {
		made := p.call(t, "POST", "schools/", test.body).want(t, http.StatusCreated, test.wants...)
		path := made.header.Get("Location")
		got := p.call(t, "GET", strings.TrimPrefix(path, "/api/v1/system/"), nil, "Accept: application/json").want(t, http.StatusOK, test.wants[0])
		if fmt.Sprint(made.body) != fmt.Sprint(got.body) || made.etag() != got.etag() {
			t.Errorf("made %s\ngot %s", made.text, got.text)
		}
		if created := got.body["created_at"].(string); !strings.HasSuffix(created, "Z") {
			t.Errorf("created_at %s is not UTC", created)
		}
		p.call(t, "GET", "schools/"+made.id()+"/setup/", nil).want(t, http.StatusOK, `"id":"students"`, `"status":"pending"`)
	}
	if got := p.schemas(t); got != len(tests)-2 { // two have another prefix
		t.Errorf("%d schemas", got)
	}
	snapshot := p.snapshot(t)
	for _, schema := range []string{"school_min_1", "tenant_7", strings.Repeat("s", 63)} {
		if !strings.Contains(snapshot, "schema "+schema) || strings.Contains(snapshot, "tables "+schema+"0") {
			t.Errorf("no schema %s with tables: %s", schema, snapshot)
		}
	}
}

func TestListSchools(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i, name := range []string{"Delta", "alpha", "Beta 100%", "Beta_x", "Alpha", "Gamma"} {
		p.school(t, object{"name": name, "code": fmt.Sprintf("s%d", i), "domains": []string{fmt.Sprintf("s%d.example", i)}})
	}
	off := "schools/" + p.call(t, "POST", "schools/", object{"name": "Off", "code": "off"}).id() + "/"
	p.call(t, "PATCH", off, object{"is_active": false}).want(t, http.StatusOK)
	p.call(t, "PATCH", off+"setup/", `{"steps":[{"id":"a","title":"A","status":"done"}]}`).want(t, http.StatusOK)
	gone := p.school(t, object{"name": "Gone", "code": "gone"})
	p.call(t, "DELETE", gone, nil).want(t, http.StatusNoContent)

	for query, codes := range map[string]string{
		"sort=code":                        "off s0 s1 s2 s3 s4 s5",
		"sort=-code":                       "s5 s4 s3 s2 s1 s0 off",
		"sort=created_at":                  "s0 s1 s2 s3 s4 s5 off",
		"sort=-created_at":                 "off s5 s4 s3 s2 s1 s0",
		"sort=code&is_active=true":         "s0 s1 s2 s3 s4 s5",
		"is_active=false":                  "off",
		"setup_progress=completed":         "off",
		"setup_progress=in_progress":       "",
		"sort=code&isolation=schema":       "off s0 s1 s2 s3 s4 s5",
		"isolation=database":               "",
		"sort=code&database=primary":       "off s0 s1 s2 s3 s4 s5",
		"database=other":                   "",
		"state=deleted":                    "gone",
		"state=ready&search=off":           "off",
		"sort=code&search=ALPHA":           "s1 s4",
		"search=" + url.QueryEscape("0%"):  "s2",
		"search=" + url.QueryEscape("a_x"): "s3",
		"search=" + url.QueryEscape(`\`):   "",
		"search=S3.EXAMPLE":                "s3",
		"search=gone":                      "",
		"sort=code&limit=200&search=":      "off s0 s1 s2 s3 s4 s5",
	} {
		if got := strings.Join(p.call(t, "GET", "schools/?"+query, nil).names(t, "code"), " "); got != codes {
			t.Errorf("%s: %s, want %s", query, got, codes)
		}
	}
	for _, sort := range []string{"", "name", "-name", "code", "-created_at"} {
		all := p.call(t, "GET", "schools/?sort="+sort, nil)
		if sort == "" {
			all = p.call(t, "GET", "schools", nil)
		}
		var paged []string
		for next := "schools/?limit=2&sort=" + sort; next != ""; {
			if sort == "" {
				next = strings.Replace(next, "&sort=", "", 1)
			}
			page := p.call(t, "GET", next, nil)
			paged = append(paged, page.names(t, "code")...)
			link, _, _ := strings.Cut(strings.TrimPrefix(page.header.Get("Link"), "</api/v1/system/"), ">")
			if (link == "") != (page.body["next_cursor"] == nil) {
				t.Errorf("link %q, cursor %v", link, page.body["next_cursor"])
			}
			next = link
		}
		if want := all.names(t, "code"); !slices.Equal(paged, want) || len(want) != 7 {
			t.Errorf("sort %s: pages %v, all %v", sort, paged, want)
		}
	}
}

func TestChangeSchool(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "First", "code": "first", "domains": []string{"a.example", "b.example"}})
	const domains = `"a.example","is_primary":true},`
	steps := []struct {
		method, body string
		wants        []string
	}{
		{"PATCH", `{"name":"Second"}`, []string{`"name":"Second","code":"first"`, `"is_active":true`, domains}},
		{"PATCH", `{}`, []string{`"name":"Second"`}},
		{"PATCH", `{"is_active":false}`, []string{`"is_active":false`}},
		{"PATCH", `{"name":"Third"}`, []string{`"name":"Third"`, `"is_active":false`}},
		{"PATCH", `{"is_active":null}`, []string{`"is_active":true`}},
		{"PUT", `{"name":"Put","code":"put","is_active":false}`, []string{`"name":"Put","code":"put","schema_name":"school_first"`, `"is_active":false`, domains}},
		{"PUT", `{"name":"Put","code":"put"}`, []string{`"is_active":true`, domains}},
		{"PUT", `{"name":"Put","code":"put","domains":["b.example","c.example"]}`, []string{`"b.example","is_primary":true`, `"c.example","is_primary":false`, "!a.example"}},
		{"PATCH", `{"domains":["c.example",{"domain":"B.example:","is_primary":true}]}`, nil},
		{"PATCH", `{"domains":["c.example",{"domain":"B.EXAMPLE","is_primary":true}]}`, []string{`"b.example","is_primary":true`, `"c.example","is_primary":false`}},
		{"PATCH", `{"domains":["c.example"]}`, []string{`"domains":[{"id":"`, `"c.example","is_primary":true`, "!b.example"}},
		{"PATCH", `{"domains":[]}`, []string{`"domains":[]`}},
		{"PATCH", `{"domains":["d.example"]}`, []string{`"d.example","is_primary":true`}},
		{"PATCH", `{"domains":null}`, []string{`"domains":[]`}},
	}
	before := p.call(t, "GET", school, nil)
	for _, step := range steps {
		if step.wants == nil {
			p.call(t, step.method, school, step.body).want(t, http.StatusUnprocessableEntity)
			continue
		}
		after := p.call(t, step.method, school, step.body, "If-Match: "+before.etag()).want(t, http.StatusOK, step.wants...)
		got := p.call(t, "GET", school, nil)
		if fmt.Sprint(after.body) != fmt.Sprint(got.body) || after.etag() != got.etag() || after.etag() == before.etag() {
			t.Errorf("%s: answered %s\nis %s", step.body, after.text, got.text)
		}
		p.call(t, step.method, school, step.body, "If-Match: "+before.etag()).want(t, http.StatusPreconditionFailed, `"precondition-failed"`)
		p.call(t, "GET", school, nil, "If-None-Match: "+before.etag()).want(t, http.StatusOK)
		p.call(t, "GET", school, nil, "If-None-Match: "+after.etag()).want(t, http.StatusNotModified, "Etag: "+after.etag(), "!name")
		before = after
	}
}

// TestChangeKeepsDomains holds that a change of a school does not touch the domains that stay as they are.
func TestChangeKeepsDomains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "First", "code": "first", "domains": []string{"a.example", "b.example"}})
	a, b := p.domain(t, school, "a.example"), p.domain(t, school, "b.example")
	tagA, tagB := p.call(t, "GET", a, nil).etag(), p.call(t, "GET", b, nil).etag()
	p.call(t, "PATCH", school, object{"name": "Second"}).want(t, http.StatusOK)
	p.call(t, "PATCH", school, object{"domains": []string{"a.example", "c.example", "b.example"}}).want(t, http.StatusOK)
	p.call(t, "GET", a, nil, "If-None-Match: "+tagA).want(t, http.StatusNotModified)
	p.call(t, "GET", b, nil, "If-None-Match: "+tagB).want(t, http.StatusNotModified)
	p.call(t, "PATCH", school, object{"domains": []string{"b.example", "a.example"}}).want(t, http.StatusOK)
	p.call(t, "GET", a, nil, "If-None-Match: "+tagA).want(t, http.StatusOK, `"is_primary":false`)
	p.call(t, "GET", b, nil, "If-None-Match: "+tagB).want(t, http.StatusOK, `"is_primary":true`)
}

func TestLifeOfASchool(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "Life", "code": "life", "schema_name": "school_of_life"})
	p.school(t, object{"name": "Other", "code": "other"})
	p.call(t, "POST", "whatsapp-contacts/", object{"school_id": strings.Split(school, "/")[1], "phone": "+2348031234567"}).want(t, http.StatusCreated)
	id := strings.Split(school, "/")[1]

	token := p.call(t, "POST", school+"impersonate/", object{"reason": "a call"}).want(t, http.StatusOK, `"expires_at":"`).body["access_token"].(string)
	if strings.Contains(p.snapshot(t), token) || !strings.Contains(p.snapshot(t), "school.impersonate") {
		t.Error("the audit holds the token, or nothing")
	}
	p.call(t, "POST", school+"restore/", nil).want(t, http.StatusConflict)
	stale := p.call(t, "GET", school, nil).etag()
	p.call(t, "PATCH", school, object{"is_active": false}).want(t, http.StatusOK)
	p.call(t, "POST", school+"impersonate/", object{"reason": "a call"}).want(t, http.StatusConflict)
	p.call(t, "DELETE", school, nil, "If-Match: "+stale).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", school, nil, "If-Match: *").want(t, http.StatusNoContent)
	p.call(t, "DELETE", school, nil).want(t, http.StatusNotFound)
	p.call(t, "GET", school, nil).want(t, http.StatusOK, `"state":"deleted"`)
	p.call(t, "POST", "schools/", object{"name": "Again", "code": "life"}).want(t, http.StatusConflict, `"body.code"`)
	if p.schemas(t) != 2 {
		t.Error("the data of a deleted school is gone")
	}
	p.call(t, "POST", school+"restore/", nil).want(t, http.StatusOK, `"state":"ready"`, `"is_active":false`, `"life.base.example"`, "Etag: ")

	before := p.snapshot(t)
	for _, confirm := range []string{`{"confirm":"other"}`, `{"confirm":""}`, `{"confirm":"Life"}`, `{"confirm":"life "}`, `{"confirm":"school_of_life"}`, `{}`, `{"confirm":null}`} {
		p.call(t, "POST", school+"purge/", confirm).want(t, http.StatusUnprocessableEntity, `"body.confirm"`, "!school_of_life")
	}
	if p.snapshot(t) != before {
		t.Error("a purge without confirmation changed something")
	}
	p.call(t, "POST", school+"purge/", object{"confirm": "life"}).want(t, http.StatusNoContent)
	for _, path := range []string{school, school + "setup/", school + "domains/"} {
		p.call(t, "GET", path, nil).want(t, http.StatusNotFound)
	}
	after := p.snapshot(t)
	for _, line := range strings.Split(after, "\n") {
		if strings.Contains(line, id) && !strings.HasPrefix(line, "audit_events ") || strings.Contains(line, "schema school_of_life") {
			t.Errorf("left behind: %s", line)
		}
	}
	if !strings.Contains(after, "schema school_other") || !strings.Contains(after, "school.purge") {
		t.Error("too much is gone")
	}
	p.call(t, "POST", "schools/", object{"name": "Again", "code": "life", "schema_name": "school_of_life"}).want(t, http.StatusCreated)
}

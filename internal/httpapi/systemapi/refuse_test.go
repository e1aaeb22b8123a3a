package systemapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// refusal is a request that must be refused and leave nothing.
type refusal struct {
	method, path, body string
	status             int
	texts              []string // that the answer must hold, or not if they begin with !
}

// refused runs refusals one after the other; in a path, SCHOOL is that of a school with the domains
// a.example and xn--bcher-kva.example, the code taken and the id ID.
func refused(t *testing.T, refusals []refusal) {
	t.Helper()
	p := newPlace(t)
	school := p.school(t, object{"name": "Taken", "code": "taken", "domains": []string{"a.example", "xn--bcher-kva.example"}})
	p.school(t, object{"name": "Other", "code": "other", "schema_name": "school_odd", "domains": []string{"o.example", "alias.base.example"}})
	id := strings.Split(school, "/")[1]
	contact := p.call(t, "POST", "whatsapp-contacts/", object{"school_id": id, "phone": "+2348031234567", "whatsapp_user_id": "NG.1"}).want(t, 201).id()
	known := strings.NewReplacer("SCHOOL/", school, "CONTACT/", "whatsapp-contacts/"+contact+"/", "ID", id, "NOBODY", nobody,
		"DOMAIN/", p.domain(t, school, "xn--bcher-kva.example"), "FOREIGN", strings.Split(p.domain(t, school, "a.example"), "/")[3])
	before := p.snapshot(t)
	for i, r := range refusals {
		headers := []string{}
		if r.status == 412 {
			headers = append(headers, `If-Match: "stale"`)
		}
		t.Run(fmt.Sprintf("%d %s %.40s %.60s", i, r.method, r.path, r.body), func(t *testing.T) {
			got := p.call(t, r.method, known.Replace(r.path), known.Replace(r.body), headers...)
			got.want(t, r.status, r.texts...)
			got.want(t, r.status, "Content-Type: application/problem+json", `"type":"urn:homeroom:problem:`, `"request_id":"`, "!SQLSTATE", "!clients_", "!pgx", "!ent:")
			after := p.snapshot(t)
			if after != before {
				t.Errorf("something was written\n%s", after)
			}
			before = after
		})
	}
}

func at(location string) []string { return []string{`"location":"` + location + `"`} }

func TestRefusedSchools(t *testing.T) {
	t.Parallel()
	const all = "schools/"
	code, schema, domain := at("body.code"), at("body.schema_name"), at("body.domains[0].domain")
	refusals := []refusal{
		{"POST", all, ``, 400, []string{"malformed-request"}},
		{"POST", all, `{"name":"N","code":"new"`, 400, []string{"malformed-request"}},
		{"POST", all, `{"name":"N","code":"new","code":"new"}`, 400, code},
		{"POST", all, "{\"name\":\"\xff\",\"code\":\"new\"}", 400, nil},
		{"POST", all, `[]`, 422, at("body")},
		{"POST", all, `null`, 422, nil},
		{"POST", all, `"text"`, 422, at("body")},
		{"POST", all, `{}`, 422, append(code, at("body.name")...)},
		{"POST", all, `{"name":"N"}`, 422, code},
		{"POST", all, `{"code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":"","code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":" \t","code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":"a\nb","code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":"a\u0000b","code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":"N","code":"new","domains":["\u0000.example"]}`, 422, at("body.domains[0]")},
		{"POST", all, `{"name":"` + strings.Repeat("x", 201) + `","code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":7,"code":"new"}`, 422, at("body.name")},
		{"POST", all, `{"name":"N","code":["new"]}`, 422, code},
		{"POST", all, `{"name":"N","code":null}`, 422, code},
		{"POST", all, `{"name":"N","code":"new","domains":"d.example"}`, 422, at("body.domains")},
		{"POST", all, `{"name":"N","code":"new","domains":[7]}`, 422, at("body.domains[0]")},
		{"POST", all, `{"name":"N","code":"new","domains":["d.example",{}]}`, 422, nil},
		{"POST", all, `{"name":"N","code":"new","domains":[{"domain":"d.example","id":"NOBODY"}]}`, 422, []string{"body.domains[0]"}},
		{"POST", all, `{"name":"N","code":"new","domains":[{"domain":"d.example","is_primary":"yes"}]}`, 422, []string{"body.domains[0]", "!yes"}},
		{"POST", all, `{"name":"N","code":"new","domains":[null]}`, 422, []string{"body.domains[0]"}},
		{"POST", all, `{"name":"N","code":"new","contacted_by":""}`, 422, at("body.contacted_by")},
		{"POST", all, `{"name":"N","code":"new","isolation":"x"}`, 422, at("body.isolation")},
		{"POST", all, `{"name":"N","code":"new","isolation":"database","database":"nowhere"}`, 422, at("body.database")},
		{"POST", all, `{"name":"N","code":"new","database":"nowhere"}`, 422, at("body.database")},
		{"POST", all, `{"name":"N","code":"taken"}`, 409, append(code, `"conflict"`)},
		{"POST", all, `{"name":"N","code":"new","schema_name":"school_taken"}`, 409, schema},
		{"POST", all, `{"name":"N","code":"odd"}`, 409, schema},
		{"POST", all, `{"name":"N","code":"alias"}`, 409, code},
		{"POST", all, `{"name":"N","code":"console"}`, 422, code},
		{"POST", all, `{"name":"N","code":"new","domains":["x.example",{"domain":"d.example","is_primary":true},{"domain":"e.example","is_primary":true}]}`, 422, at("body.domains[2].is_primary")},
		{"POST", all, `{"name":"N","code":"new","domains":["d.example",{"domain":"D.Example."}]}`, 422, at("body.domains[1].domain")},
		{"POST", all, `{"name":"N","code":"new","domains":["bücher.test","xn--bcher-kva.test"]}`, 422, at("body.domains[1].domain")},
		{"POST", all, `{"name":"N","code":"!","schema_name":"public","domains":["a b"]}`, 422, code},
		{"POST", all, `{"name":" ","code":"new","schema_name":"public","domains":["a b"]}`, 422, append(schema, `"body.name"`, `"body.domains[0].domain"`)},
		{"PUT", all, `{}`, 405, []string{"Allow: GET, HEAD, POST", "method-not-allowed"}},
	}
	for _, key := range []string{"id", "state", "schema_version", "setup_progress", "is_active", "created_at", "deleted_at", "Name", "schemaName", "__proto__"} {
		refusals = append(refusals, refusal{"POST", all, `{"name":"N","code":"new","` + key + `":"secret-value"}`, 422, append(at("body."+key), "!secret-value")})
	}
	for _, bad := range []string{"", "x", "New", "NEW", "a--b", "-a", "a-", "a_b", "a b", "a.b", "ä-b", "a'b", `a;drop`, strings.Repeat("c", 41), "aa\\n", "ñu"} {
		refusals = append(refusals, refusal{"POST", all, `{"name":"N","code":"` + bad + `"}`, 422, code})
	}
	for _, bad := range []string{
		"", "pg_evil", "public", "information_schema", "pg_catalog", "pg_", "PUBLIC", "School_x", "1school", "_school", "school-x", "school x", "school.x", "schoolé",
		`x\"; DROP SCHEMA public CASCADE; --`, "x'y", "x;y", `x\"y`, "jobs", strings.Repeat("s", 64), "x\\n", "x/*y*/", "$user",
	} {
		refusals = append(refusals, refusal{"POST", all, `{"name":"N","code":"new","schema_name":"` + bad + `"}`, 422, schema})
	}
	for _, taken := range []string{"a.example", "A.Example", "a.example.", "bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE.", "a。example", "ａ.example", "a.example。"} {
		refusals = append(refusals,
			refusal{"POST", all, `{"name":"N","code":"new","domains":["n.example",{"domain":"` + taken + `"}]}`, 409, at("body.domains[1].domain")},
			refusal{"POST", "schools/NOBODY/domains/", `{"domain":"` + taken + `"}`, 404, nil},
			refusal{"POST", "SCHOOL/domains/", `{"domain":"` + taken + `"}`, 409, at("body.domain")})
	}
	for _, bad := range []string{
		" ", "localhost", "LOCALHOST.", "console.example", "127.0.0.1", "10.1", "2130706433", "[::1]", "::1", "[::1]:80", "1.2.3.4:80", "d.example:8080", "d.example:", "http://d.example", "d.example/x",
		"a b.example", ".example", "d..example", ".", "..", "d.example..", "d_x.example", "-d.example", "d-.example", "*.example", "d%2eexample", "user@d.example", "d.example?", "d.example#",
		strings.Repeat("l", 64) + ".example", strings.Repeat("abc.", 63) + "example", "xn--a.example", "d\u00ad\u200b.ex ample", "d,example", "d\\nexample",
	} {
		refusals = append(refusals,
			refusal{"POST", all, `{"name":"N","code":"new","domains":["` + bad + `"]}`, 422, append([]string{`"location":"body.domains[0]`}, "!a b.example")},
			refusal{"POST", "SCHOOL/domains/", `{"domain":"` + bad + `"}`, 422, at("body.domain")})
	}
	refusals = append(refusals, refusal{"POST", all, `{"name":"N","code":"new","domains":["console.example"]}`, 422, domain})
	refused(t, refusals)
}

func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	refusals := []refusal{
		{"PUT", "SCHOOL/", `{"name":"N"}`, 422, at("body.code")},
		{"PUT", "SCHOOL/", `{"name":"N","code":"other"}`, 409, at("body.code")},
		{"PUT", "SCHOOL/", `{"name":"N","code":"B!"}`, 422, at("body.code")},
		{"PUT", "SCHOOL/", `{"name":"N","code":"n1","domains":["n.example","a.example","o.example"]}`, 409, at("body.domains[2].domain")},
		{"PUT", "SCHOOL/", `{"name":"N","code":"n1"}`, 412, []string{"precondition-failed"}},
		{"PATCH", "SCHOOL/", `{"name":"N"}`, 412, nil},
		{"PATCH", "SCHOOL/", `{"domains":["n.example","O.EXAMPLE"]}`, 409, at("body.domains[1].domain")},
		{"PATCH", "SCHOOL/", `{"domains":[{"domain":"a.example","is_primary":true},{"domain":"n.example","is_primary":true}]}`, 422, at("body.domains[1].is_primary")},
		{"PATCH", "SCHOOL/", `{"domains":["a.example","A.example"]}`, 422, at("body.domains[1].domain")},
		{"PATCH", "SCHOOL/", `{"domains":["console.example"]}`, 422, at("body.domains[0].domain")},
		{"PATCH", "SCHOOL/", `{"domains":[{"is_primary":true}]}`, 422, []string{"body.domains[0]"}},
		{"PATCH", "SCHOOL/", `{"name":null}`, 422, at("body.name")},
		{"PATCH", "SCHOOL/", `{"code":null}`, 422, at("body.code")},
		{"PATCH", "SCHOOL/", `{"name":"\u0000"}`, 422, at("body.name")},
		{"PATCH", "SCHOOL/", `{"is_active":"no"}`, 422, at("body.is_active")},
		{"PATCH", "SCHOOL/", `[{"op":"replace"}]`, 422, at("body")},
		{"PATCH", "SCHOOL/", `null`, 422, at("body")},
		{"PATCH", "SCHOOL/", `{`, 400, nil},
		{"PATCH", "schools/NOBODY/", `{"name":"N"}`, 404, []string{"not-found"}},
		{"PUT", "schools/NOBODY/", `{"name":"N","code":"new"}`, 404, nil},
		{"DELETE", "schools/NOBODY/", ``, 404, nil},
		{"DELETE", "SCHOOL/", ``, 412, nil},
		{"POST", "schools/NOBODY/restore/", ``, 404, nil},
		{"POST", "schools/NOBODY/purge/", `{"confirm":"taken"}`, 404, nil},
		{"POST", "SCHOOL/purge/", `{"confirm":"taken","force":true}`, 422, at("body.force")},
		{"POST", "schools/NOBODY/impersonate/", `{"reason":"because"}`, 404, nil},
		{"POST", "SCHOOL/impersonate/", `{}`, 422, at("body.reason")},
		{"POST", "SCHOOL/impersonate/", `{"reason":"x"}`, 422, at("body.reason")},
		{"POST", "SCHOOL/impersonate/", `{"reason":"a\u0000b"}`, 422, at("body.reason")},
		{"GET", "schools/42/", ``, 422, at("path.id")},
		{"GET", "schools/" + url.PathEscape("' OR 1=1") + "/", ``, 422, at("path.id")},
		{"GET", "schools/a%00/", ``, 422, at("path.id")},
		{"GET", "schools/NOBODY/", ``, 404, []string{"not-found"}},
		{"GET", "schools/NOBODY/more/", ``, 404, nil},

		{"POST", "SCHOOL/domains/", `{}`, 422, at("body.domain")},
		{"POST", "SCHOOL/domains/", `{"domain":""}`, 422, at("body.domain")},
		{"POST", "SCHOOL/domains/", `{"domain":7}`, 422, at("body.domain")},
		{"POST", "SCHOOL/domains/", `"d.example"`, 422, at("body")},
		{"POST", "SCHOOL/domains/", `{"domain":"d.example","tenant_id":"NOBODY"}`, 422, at("body.tenant_id")},
		{"POST", "SCHOOL/domains/", `{"domain":"o.example"}`, 409, at("body.domain")},
		{"PATCH", "DOMAIN/", `{"is_primary":true}`, 412, nil},
		{"PATCH", "DOMAIN/", `{"is_primary":null}`, 422, at("body.is_primary")},
		{"PATCH", "DOMAIN/", `{"domain":"new.example"}`, 422, at("body.domain")},
		{"PATCH", "SCHOOL/domains/FOREIGN/", `{"is_primary":false}`, 409, nil},
		{"DELETE", "SCHOOL/domains/FOREIGN/", ``, 409, nil},
		{"PATCH", "schools/NOBODY/domains/FOREIGN/", `{"is_primary":true}`, 404, nil},
		{"DELETE", "schools/NOBODY/domains/FOREIGN/", ``, 404, nil},
		{"GET", "schools/NOBODY/domains/", ``, 404, nil},
		{"GET", "SCHOOL/domains/x/", ``, 422, at("path.domain_id")},
		{"PUT", "DOMAIN/", `{"domain":"d.example"}`, 405, []string{"Allow: DELETE, GET, HEAD, PATCH"}},
		{"GET", "domains/?domain=a%20b", ``, 422, at("query.domain")},

		{"PUT", "SCHOOL/setup/", `{}`, 422, at("body.steps")},
		{"PUT", "SCHOOL/setup/", `{"steps":null}`, 422, at("body.steps")},
		{"PATCH", "SCHOOL/setup/", `{"steps":null}`, 422, at("body.steps")},
		{"PUT", "SCHOOL/setup/", `{"steps":[{"id":"a","title":"A","status":"done"},{"id":"a","title":"B","status":"done"}]}`, 422, at("body.steps[1].id")},
		{"PUT", "SCHOOL/setup/", `{"steps":[{"id":"a","title":"A","status":"finished"}]}`, 422, at("body.steps[0].status")},
		{"PUT", "SCHOOL/setup/", `{"steps":[{"id":"a","title":"A"}]}`, 422, at("body.steps[0].status")},
		{"PUT", "SCHOOL/setup/", `{"steps":[{"id":"a","title":"\u0000","status":"done"}]}`, 422, at("body.steps[0].title")},
		{"PATCH", "SCHOOL/setup/", `{"setup_progress":"completed"}`, 422, at("body.setup_progress")},
		{"PATCH", "SCHOOL/setup/", `{"contacted_by":7}`, 422, at("body.contacted_by")},
		{"PUT", "SCHOOL/setup/", `{"steps":[]}`, 412, nil},
		{"PATCH", "schools/NOBODY/setup/", `{"steps":[]}`, 404, nil},
		{"GET", "schools/NOBODY/setup/", ``, 404, nil},
	}
	refused(t, refusals)
}

func TestRefusedOthers(t *testing.T) {
	t.Parallel()
	const contacts = "whatsapp-contacts/"
	refusals := []refusal{
		{"POST", contacts, `{}`, 422, at("body.school_id")},
		{"POST", contacts, `{"school_id":"ID"}`, 422, at("body.phone")},
		{"POST", contacts, `{"school_id":"NOBODY","phone":"+14155550123"}`, 422, at("body.school_id")},
		{"POST", contacts, `{"school_id":"x","phone":"+14155550123"}`, 422, at("body.school_id")},
		{"POST", contacts, `{"school_id":7,"phone":"+14155550123"}`, 422, at("body.school_id")},
		{"POST", contacts, `{"school_id":"ID","phone":"+234 803 123 4567"}`, 409, at("body.phone")},
		{"POST", contacts, `{"school_id":"ID","whatsapp_user_id":"NG.1"}`, 409, at("body.whatsapp_user_id")},
		{"POST", contacts, `{"school_id":"ID","whatsapp_user_id":""}`, 422, at("body.whatsapp_user_id")},
		{"POST", contacts, `{"school_id":"ID","phone":"+14155550123","display_name":"\u0000"}`, 422, at("body.display_name")},
		{"POST", contacts, `{"school_id":"ID","phone":"+14155550123","id":"NOBODY"}`, 422, at("body.id")},
		{"PUT", "CONTACT/", `{"school_id":"ID"}`, 422, at("body.phone")},
		{"PUT", "CONTACT/", `{"phone":"+14155550123"}`, 422, at("body.school_id")},
		{"PATCH", "CONTACT/", `{"school_id":null}`, 422, at("body.school_id")},
		{"PATCH", "CONTACT/", `{"school_id":"x"}`, 422, at("body.school_id")},
		{"PATCH", "CONTACT/", `{"phone":null,"whatsapp_user_id":null}`, 422, at("body.phone")},
		{"PATCH", "CONTACT/", `{"created_at":"2026-01-01T00:00:00Z"}`, 422, at("body.created_at")},
		{"PATCH", "CONTACT/", `{"phone":"+14155550123"}`, 412, nil},
		{"DELETE", "CONTACT/", ``, 412, nil},
		{"GET", contacts + "NOBODY/", ``, 404, nil},
		{"PATCH", contacts + "NOBODY/", `{}`, 404, nil},
		{"DELETE", contacts + "NOBODY/", ``, 404, nil},
		{"GET", contacts + "?school_id=x", ``, 422, at("query.school_id")},

		{"POST", "api-keys/", `{}`, 422, append(at("body.name"), `"body.role"`)},
		{"POST", "api-keys/", `{"name":"x","role":"root"}`, 422, append(at("body.role"), "!root")},
		{"POST", "api-keys/", `{"name":" ","role":"owner"}`, 422, at("body.name")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","expires_at":"yesterday"}`, 422, at("body.expires_at")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","expires_at":"2020-01-01T00:00:00Z"}`, 422, at("body.expires_at")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","scopes":[]}`, 422, at("body.scopes")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","scopes":"schools:read"}`, 422, at("body.scopes")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","scopes":["schools:read","schools"]}`, 422, append(at("body.scopes[1]"), "schools:impersonate")},
		{"POST", "api-keys/", `{"name":"x","role":"operator","scopes":["schools:write","schools:purge"]}`, 422, append(at("body.scopes[1]"), "owner")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","token":"hr_secret"}`, 422, append(at("body.token"), "!hr_secret")},
		{"POST", "api-keys/", `{"name":"x","role":"owner","secret_hash":"AA=="}`, 422, at("body.secret_hash")},
		{"GET", "api-keys/NOBODY/", ``, 404, nil},
		{"DELETE", "api-keys/NOBODY/", ``, 404, nil},
		{"PATCH", "api-keys/NOBODY/", `{"role":"owner"}`, 405, []string{"Allow: DELETE, GET, HEAD"}},
		{"GET", "nothing/", ``, 404, []string{"not-found"}},
		{"GET", "", ``, 404, nil},
	}
	for _, bad := range []string{"", "0803 123 4567", "+", "+1", "+999123456789", "hello", "+23480312345678901234", "+14155550123 x5", "<script>"} {
		refusals = append(refusals,
			refusal{"POST", contacts, `{"school_id":"ID","phone":"` + bad + `"}`, 422, append(at("body.phone"), "!<script>")},
			refusal{"PATCH", "CONTACT/", `{"phone":"` + bad + `"}`, 422, at("body.phone")})
		if bad != "" { // as if it weren't there
			refusals = append(refusals, refusal{"GET", contacts + "?phone=" + url.QueryEscape(bad), ``, 422, append(at("query.phone"), "!<script>")})
		}
	}
	cursors := []string{"x", "!!", "bnVsbA", "e30", "eyJzIjoibmFtZSIsInYiOiJ4IiwiaSI6IngifQ", strings.Repeat("a", 1025), "%00"}
	for _, list := range []string{"schools/", "domains/", "SCHOOL/domains/", contacts, "api-keys/"} {
		for _, query := range []string{"limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=99999999999999999999", "sort=secret_hash", "sort=id", "sort=--name", "nope=1", "Limit=1", "limit=1&limit=2"} {
			name, _, _ := strings.Cut(query, "=")
			if query == "limit=" { // as if it weren't there
				continue
			}
			refusals = append(refusals, refusal{"GET", list + "?" + query, ``, 422, at("query." + name)})
		}
		for _, cursor := range cursors {
			refusals = append(refusals, refusal{"GET", list + "?cursor=" + cursor, ``, 422, at("query.cursor")})
		}
		// {"s":"created_at","v":"x","i":"01890a5d-ac96-774b-bcce-b302099a8057"}
		refusals = append(refusals, refusal{"GET", list + "?sort=created_at&cursor=eyJzIjoiY3JlYXRlZF9hdCIsInYiOiJ4IiwiaSI6IjAxODkwYTVkLWFjOTYtNzc0Yi1iY2NlLWIzMDIwOTlhODA1NyJ9", ``, 422, at("query.cursor")})
	}
	for _, query := range []string{"is_active=maybe", "setup_progress=x", "isolation=x", "state=x", "database=" + strings.Repeat("x", 64), "search=%00", "search=%ff", "is_active=true&is_active=false"} {
		name, _, _ := strings.Cut(query, "=")
		refusals = append(refusals, refusal{"GET", "schools/?" + query, ``, 422, at("query." + name)})
	}
	refused(t, append(refusals, refusal{"GET", "schools/?search=%zz", ``, 400, nil}))
}

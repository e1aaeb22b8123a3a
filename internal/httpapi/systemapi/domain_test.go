package systemapi_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestDomains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "One", "code": "one", "domains": []string{"a.example"}})
	other := p.school(t, object{"name": "Two", "code": "two", "domains": []string{"z.example"}})
	a := p.domain(t, school, "a.example")

	made := p.call(t, "POST", school+"domains/", object{"domain": "BÜCHER.Example."}).want(t, http.StatusCreated,
		`"domain":"xn--bcher-kva.example"`, `"is_primary":false`, "Location: /api/v1/system/"+school+"domains/", "Etag: ")
	b := school + "domains/" + made.id() + "/"
	got := p.call(t, "GET", b, nil).want(t, http.StatusOK)
	if fmt.Sprint(got.body) != fmt.Sprint(made.body) || got.etag() != made.etag() {
		t.Errorf("made %s\ngot %s", made.text, got.text)
	}
	p.call(t, "GET", b, nil, "If-None-Match: "+made.etag()).want(t, http.StatusNotModified)
	p.call(t, "GET", strings.Replace(b, school, other, 1), nil).want(t, http.StatusNotFound)

	// The primary, from one to the other and back, each in one step.
	p.call(t, "PATCH", b, object{"is_primary": false}).want(t, http.StatusOK, `"is_primary":false`)
	p.call(t, "PATCH", b, object{}).want(t, http.StatusOK, `"is_primary":false`)
	p.call(t, "PATCH", b, object{"is_primary": true}, "If-Match: "+made.etag()).want(t, http.StatusOK, `"is_primary":true`)
	p.call(t, "PATCH", b, object{"is_primary": true}, "If-Match: "+made.etag()).want(t, http.StatusPreconditionFailed)
	p.call(t, "GET", a, nil).want(t, http.StatusOK, `"is_primary":false`)
	p.call(t, "PATCH", b, object{"is_primary": false}).want(t, http.StatusConflict)
	p.call(t, "DELETE", b, nil).want(t, http.StatusConflict, "primary")
	c := p.call(t, "POST", school+"domains/", object{"domain": "c.example", "is_primary": true}).want(t, http.StatusCreated, `"is_primary":true`)
	p.call(t, "DELETE", b, nil, "If-Match: "+made.etag()).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", b, nil).want(t, http.StatusNoContent)
	p.call(t, "DELETE", b, nil).want(t, http.StatusNotFound)
	p.call(t, "DELETE", a, nil).want(t, http.StatusNoContent)
	p.call(t, "DELETE", school+"domains/"+c.id()+"/", nil).want(t, http.StatusNoContent)
	p.call(t, "GET", school, nil).want(t, http.StatusOK, `"domains":[]`)
	p.call(t, "POST", school+"domains/", object{"domain": "first.example", "is_primary": false}).want(t, http.StatusCreated, `"is_primary":true`)
}

// TestSchoolTagFollowsDomains holds that a school's ETag changes with the domains that it shows.
func TestSchoolTagFollowsDomains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "One", "code": "one", "domains": []string{"a.example"}})
	tag := p.call(t, "GET", school, nil).etag()
	var b string
	for _, change := range []func() reply{
		func() reply { return p.call(t, "POST", school+"domains/", object{"domain": "b.example"}) },
		func() reply {
			b = p.domain(t, school, "b.example")
			return p.call(t, "PATCH", b, object{"is_primary": true})
		},
		func() reply { return p.call(t, "DELETE", p.domain(t, school, "a.example"), nil) },
	} {
		if r := change(); r.status >= 300 {
			t.Fatal(r.text)
		}
		p.call(t, "PATCH", school, object{"domains": []string{"x.example"}}, "If-Match: "+tag).want(t, http.StatusPreconditionFailed)
		tag = p.call(t, "GET", school, nil, "If-None-Match: "+tag).want(t, http.StatusOK).etag()
	}
	p.call(t, "GET", b, nil).want(t, http.StatusOK, `"is_primary":true`)
}

func TestFindDomain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "One", "code": "one", "domains": []string{"a.example", "xn--bcher-kva.example"}})
	p.school(t, object{"name": "Two", "code": "two", "domains": []string{"b.example"}})
	for domain, want := range map[string]string{
		"a.example": "a.example", "A.Example": "a.example", "a.example:8080": "a.example", "a.example.": "a.example", "A.EXAMPLE.:443": "a.example",
		"bücher.example": "xn--bcher-kva.example", "BÜCHER。example": "xn--bcher-kva.example", "XN--BCHER-KVA.example": "xn--bcher-kva.example",
		"example": "", "www.a.example": "", "a.exampl": "", "127.0.0.1": "", "[::1]:80": "",
	} {
		page := p.call(t, "GET", "domains/?domain="+url.QueryEscape(domain), nil)
		if got := strings.Join(page.names(t, "domain"), " "); got != want {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
	for path, want := range map[string]string{
		"domains/":                          "a.example b.example xn--bcher-kva.example",
		"domains/?sort=-domain&limit=1":     "xn--bcher-kva.example",
		"domains/?sort=created_at":          "a.example xn--bcher-kva.example b.example",
		school + "domains/":                 "a.example xn--bcher-kva.example",
		school + "domains?sort=-created_at": "xn--bcher-kva.example a.example",
	} {
		page := p.call(t, "GET", path, nil)
		if got := strings.Join(page.names(t, "domain"), " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if next, _ := page.body["next_cursor"].(string); next != "" {
			page = p.call(t, "GET", path+"&cursor="+next, nil)
			if got := page.names(t, "domain"); !slices.Equal(got, []string{"b.example"}) {
				t.Errorf("the second page: %v", got)
			}
		}
	}
}

// TestDomainsAtOnce holds that a school with domains has exactly one primary, whoever changes them
// at the same time.
func TestDomainsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	names := []string{"d0.example", "d1.example", "d2.example", "d3.example"}
	school := p.school(t, object{"name": "One", "code": "one", "domains": names})
	p.school(t, object{"name": "Two", "code": "two", "domains": []string{"two.example"}})
	var paths []string
	for _, name := range names {
		paths = append(paths, p.domain(t, school, name))
	}
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			for range 8 {
				at := rand.IntN(len(paths))
				method, path, body := "PATCH", paths[at], object{"is_primary": true}
				switch rand.IntN(6) {
				case 0:
					method, path, body = "POST", school+"domains/", object{"domain": fmt.Sprintf("n%d.example", rand.IntN(9)), "is_primary": true}
				case 1:
					method, body = "DELETE", nil
				case 2:
					path, body = school, object{"domains": []any{names[at], object{"domain": fmt.Sprintf("n%d.example", rand.IntN(9)), "is_primary": true}}}
				}
				r, err := p.try(method, path, body)
				if err != nil {
					return err
				}
				if r.status >= 500 || r.status == http.StatusUnprocessableEntity {
					return fmt.Errorf("%s %s %v: %s", method, path, body, r.text)
				}
			}
			return nil
		})
	}
	must(t, all.Wait())
	text := p.call(t, "GET", school, nil).want(t, http.StatusOK).text
	if n := strings.Count(text, `"is_primary":true`); n != 1 && !strings.Contains(text, `"domains":[]`) {
		t.Errorf("%d primaries: %s", n, text)
	}
}

package systemapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestMigrations(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, code := range []string{"ash", "elm", "fir", "oak", "yew"} {
		p.school(t, object{"name": "The " + code, "code": code})
	}
	current := testkit.Tenant(t).Version()
	for code, recorded := range map[string]string{
		"elm": "schema_version = '1', migrated_at = '2026-01-02T03:04:05Z', migration_ms = 17",
		"fir": "schema_version = '9'",
		"oak": "schema_version = '1', migration_error = 'ERROR: no (SQLSTATE 42P07)'",
		"yew": "database = 'north'",
	} {
		testkit.On(t, p.database, "UPDATE clients SET "+recorded+" WHERE code = '"+code+"'")
	}
	testkit.On(t, p.database, "INSERT INTO clients (id, name, code, schema_name) VALUES (gen_random_uuid(), 'Made', 'made', 'school_made')") // it has no schema yet

	p.token = p.key(t, auth.RoleViewer)
	summary := fmt.Sprintf(`"summary":{"version":"%s","current":2,"behind":1,"ahead":1,"failed":1}`, current)
	p.call(t, "GET", "migrations/", nil).want(t, http.StatusOK, summary, `"next_cursor":null`, `"pending":["`+current+`"]`, `"pending":[]`, `"migrated_at":"2026-01-02T03:04:05Z"`,
		`"ms":17`, `"migrated_at":null`, `"error":"ERROR: no (SQLSTATE 42P07)"`, `"error":null`, `"schema":"school_elm"`)
	for query, want := range map[string]string{
		"": "ash current, elm behind, fir ahead, oak failed, yew current", "sort=-code&limit=2": "yew current, oak failed",
		"state=current": "ash current, yew current", "state=behind": "elm behind", "state=ahead": "fir ahead", "state=failed": "oak failed",
		"database=north": "yew current", "database=south": "", "search=THE+O": "oak failed", "search=fi": "fir ahead", "state=current&search=e": "ash current, yew current",
	} {
		page := p.call(t, "GET", "migrations/?"+query, nil).want(t, http.StatusOK, summary)
		var got []string
		for i, code := range page.names(t, "school") {
			got = append(got, code+" "+page.names(t, "state")[i])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
	var all []string
	for cursor := ""; ; {
		page := p.call(t, "GET", "migrations/?limit=2&cursor="+url.QueryEscape(cursor), nil)
		all = append(all, page.names(t, "school")...)
		next, more := page.body["next_cursor"].(string)
		if !more {
			break
		}
		page.want(t, http.StatusOK, `rel="next"`, summary)
		cursor = next
	}
	if got := strings.Join(all, " "); got != "ash elm fir oak yew" {
		t.Error(got)
	}
	for _, wrong := range []string{"state=new", "sort=state", "cursor=x", "limit=0", "is_active=true"} {
		p.call(t, "GET", "migrations/?"+wrong, nil).want(t, http.StatusUnprocessableEntity)
	}
	p.token = "hr_none"
	p.call(t, "GET", "migrations/", nil).want(t, http.StatusUnauthorized)
}

package client_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/oapi-codegen/runtime/types"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
	"github.com/homeroom-sms/homeroom/openapi/clients/go/tenant"
)

// One service serves all of them.
func TestClients(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, check := range map[string]func(*testing.T, service){
		"create": create, "list": list, "stale": stale, "invalid": invalid, "life": life, "records": records,
	} {
		t.Run(name, func(t *testing.T) { check(t, s) })
	}
}

func newSchool(t *testing.T, client *system.ClientWithResponses, code string) (school *system.NewSchool, etag string) {
	t.Helper()
	var primary, other system.SchoolCreateInput_Domains_Item
	if err := primary.FromDomainCreateInput(system.DomainCreateInput{Domain: code + ".example.org", IsPrimary: nullable.NewNullableWithValue(true)}); err != nil {
		t.Fatal(err)
	}
	if err := other.FromSchoolCreateInputDomains1(code + ".test"); err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateSchoolWithResponse(t.Context(), nil, system.SchoolCreateInput{
		Name: "School " + code, Code: code,
		Domains: nullable.NewNullableWithValue([]system.SchoolCreateInput_Domains_Item{primary, other}),
	})
	if err != nil || made.JSON201 == nil {
		t.Fatal(err, string(made.GetBody()))
	}
	return made.JSON201, made.HTTPResponse.Header.Get("ETag")
}

func create(t *testing.T, s service) {
	client := connect(t, s)
	school, _ := newSchool(t, client, "elm")
	if school.State != system.NewSchoolStateReady || len(school.Domains) != 2 || !school.Domains[0].IsPrimary || school.Domains[1].Domain != "elm.test" {
		t.Errorf("made %+v", school)
	}
	found, err := client.GetSchoolWithResponse(t.Context(), school.Id, nil)
	if err != nil || found.JSON200 == nil || found.JSON200.Name != "School elm" {
		t.Error(err, string(found.GetBody()))
	}
}

func list(t *testing.T, s service) {
	client := connect(t, s)
	limit, sort := int64(1), system.ListSchoolsParamsSortCode
	params := &system.ListSchoolsParams{Limit: &limit, Sort: &sort}
	var codes []string
	for {
		page, err := client.ListSchoolsWithResponse(t.Context(), params)
		if err != nil || page.JSON200 == nil || len(page.JSON200.Items) != 1 {
			t.Fatal(err, string(page.GetBody()))
		}
		codes = append(codes, page.JSON200.Items[0].Code)
		if page.JSON200.NextCursor.IsNull() {
			break
		}
		cursor := page.JSON200.NextCursor.MustGet()
		params.Cursor = &cursor
	}
	if len(codes) < 2 || !slices.IsSorted(codes) || len(slices.Compact(codes)) != len(codes) {
		t.Errorf("codes: %v", codes)
	}
}

func stale(t *testing.T, s service) {
	client := connect(t, s)
	school, etag := newSchool(t, client, "oak")
	rename := func(name string) *system.UpdateSchoolResponse {
		changed, err := client.UpdateSchoolWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), school.Id,
			&system.UpdateSchoolParams{IfMatch: &etag}, system.SchoolPatch{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	if first := rename("Oak School"); first.JSON200 == nil || first.JSON200.Name != "Oak School" {
		t.Error(string(first.Body))
	}
	late := rename("Too late")
	if problem := late.ApplicationproblemJSONDefault; late.StatusCode() != http.StatusPreconditionFailed || problem.Code != "precondition-failed" {
		t.Error(string(late.Body))
	}
}

func invalid(t *testing.T, s service) {
	refused, err := connect(t, s).CreateSchoolWithResponse(t.Context(), nil, system.SchoolCreateInput{Code: "No Good"})
	if err != nil || refused.ApplicationproblemJSONDefault == nil || refused.ApplicationproblemJSONDefault.Errors == nil {
		t.Fatal(err, string(refused.GetBody()))
	}
	var locations []string
	for _, field := range *refused.ApplicationproblemJSONDefault.Errors {
		locations = append(locations, field.Location)
	}
	if !slices.Equal(locations, []string{"body.code", "body.name"}) {
		t.Errorf("locations: %v", locations)
	}
}

func life(t *testing.T, s service) {
	client, ctx := connect(t, s), t.Context()
	school, _ := newSchool(t, client, "ash")
	suspended, err := client.UpdateSchoolWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, school.Id, nil,
		system.SchoolPatch{IsActive: nullable.NewNullableWithValue(false)})
	if err != nil || suspended.JSON200 == nil || suspended.JSON200.IsActive {
		t.Fatal(err, string(suspended.GetBody()))
	}
	remove := func() {
		if removed, err := client.DeleteSchoolWithResponse(ctx, school.Id, nil); err != nil || removed.StatusCode() != http.StatusNoContent {
			t.Fatal(err, string(removed.GetBody()))
		}
	}
	remove()
	restored, err := client.RestoreSchoolWithResponse(ctx, school.Id, nil)
	if err != nil || restored.JSON200 == nil || restored.JSON200.State != system.SchoolStateReady {
		t.Fatal(err, string(restored.GetBody()))
	}
	remove()
	refused, err := client.PurgeSchoolWithResponse(ctx, school.Id, nil, system.PurgeInput{Confirm: "oak"})
	if err != nil || refused.StatusCode() != http.StatusUnprocessableEntity {
		t.Fatal(err, string(refused.GetBody()))
	}
	purged, err := client.PurgeSchoolWithResponse(ctx, school.Id, nil, system.PurgeInput{Confirm: "ash"})
	if err != nil || purged.StatusCode() != http.StatusNoContent {
		t.Fatal(err, string(purged.GetBody()))
	}
	if gone, err := client.GetSchoolWithResponse(ctx, school.Id, nil); err != nil || gone.StatusCode() != http.StatusNotFound {
		t.Error(err, string(gone.GetBody()))
	}
}

func records(t *testing.T, s service) {
	client, ctx := connect(t, s), t.Context()
	search := "greenwood"
	found, err := client.ListSchoolsWithResponse(ctx, &system.ListSchoolsParams{Search: &search})
	if err != nil || found.JSON200 == nil || len(found.JSON200.Items) != 1 {
		t.Fatal(err, string(found.GetBody()))
	}
	token, err := client.ImpersonateSchoolWithResponse(ctx, found.JSON200.Items[0].Id, nil, system.ImpersonationInput{Reason: "a test"})
	if err != nil || token.JSON200 == nil {
		t.Fatal(err, string(token.GetBody()))
	}
	school, err := tenant.NewClientWithResponses(s.URL, tenant.WithRequestEditorFn(bearer(token.JSON200.AccessToken)),
		tenant.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Host = "greenwood.localhost" // not every resolver knows it
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	born := types.Date{Time: time.Date(2014, 3, 28, 0, 0, 0, 0, time.UTC)}
	made, err := school.CreateStudentWithResponse(ctx, nil, tenant.StudentInput{
		AdmissionNumber: "C-1", FirstName: "Ada", LastName: "Lovelace", DateOfBirth: nullable.NewNullableWithValue(born),
	})
	if err != nil || made.JSON201 == nil || made.JSON201.DateOfBirth.MustGet() != born || !made.JSON201.Email.IsNull() {
		t.Fatal(err, string(made.GetBody()))
	}
}

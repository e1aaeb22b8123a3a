package client_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
)

// One service serves all of them, in any order.
func TestClients(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, check := range map[string]func(*testing.T, service){
		"login": login, "key": key, "create": create, "list": list, "stale": stale, "refused": refused,
		"records": records, "invite": invite, "life": life, "purge": purge,
	} {
		t.Run(name, func(t *testing.T) { check(t, s) })
	}
}

func login(t *testing.T, s service) {
	client, ctx := s.connect(t, ""), t.Context()
	wrong, err := client.LoginWithResponse(ctx, system.LoginInput{Email: email, Password: "a walk along the road"})
	if p := problem(t, wrong, err); p.Code != system.Unauthenticated || p.Status != http.StatusUnauthorized {
		t.Errorf("%+v", p)
	}
	first, err := client.LoginWithResponse(ctx, system.LoginInput{Email: email, Password: password})
	answered(t, http.StatusOK, first, err)
	refresh := func(token string) *system.RefreshTokensResponse {
		tokens, err := client.RefreshTokensWithResponse(ctx, system.RefreshInput{RefreshToken: token})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	second := refresh(first.JSON200.RefreshToken)
	answered(t, http.StatusOK, second, nil)
	me, err := s.connect(t, second.JSON200.AccessToken).GetMeWithResponse(ctx, nil)
	answered(t, http.StatusOK, me, err)
	if me.JSON200.Kind != system.MeKindOperator || me.JSON200.Email.MustGet() != email || me.JSON200.Role != system.MeRoleOwner {
		t.Errorf("%+v", me.JSON200)
	}
	// One that comes again ends all that grew from its login.
	for _, token := range []string{first.JSON200.RefreshToken, second.JSON200.RefreshToken} {
		if p := problem(t, refresh(token), nil); p.Code != system.Unauthenticated {
			t.Errorf("%+v", p)
		}
	}
}

func key(t *testing.T, s service) {
	owner, ctx := s.owner(t), t.Context()
	reads := []system.Scope{system.SchoolsRead}
	made, err := owner.CreateApiKeyWithResponse(ctx, nil, system.APIKeyInput{Name: "billing", Role: system.APIKeyInputRoleOperator, Scopes: nullable.NewNullableWithValue(reads)})
	answered(t, http.StatusCreated, made, err)
	client := s.connect(t, made.JSON201.Token)
	me, err := client.GetMeWithResponse(ctx, nil)
	answered(t, http.StatusOK, me, err)
	if me.JSON200.Kind != system.MeKindApiKey || me.JSON200.Id != made.JSON201.Id || !slices.Equal(me.JSON200.Scopes, reads) || !me.JSON200.Email.IsNull() {
		t.Errorf("%+v", me.JSON200)
	}
	denied, err := client.CreateSchoolWithResponse(ctx, nil, system.SchoolCreateInput{Name: "Key School", Code: "key"})
	if p := problem(t, denied, err); p.Code != system.Forbidden {
		t.Errorf("%+v", p)
	}
	revoked, err := owner.RevokeApiKeyWithResponse(ctx, made.JSON201.Id, nil)
	answered(t, http.StatusNoContent, revoked, err)
	ended, err := client.GetMeWithResponse(ctx, nil)
	if p := problem(t, ended, err); p.Code != system.Unauthenticated {
		t.Errorf("%+v", p)
	}
}

// newSchool makes a school with two domains, CODE.localhost and CODE.test, and an admin.
func newSchool(t *testing.T, client *system.ClientWithResponses, code string) *system.CreateSchoolResponse {
	t.Helper()
	var plain, primary system.SchoolCreateInput_Domains_Item
	if err := plain.FromSchoolCreateInputDomains1(code + ".test"); err != nil {
		t.Fatal(err)
	}
	if err := primary.FromDomainCreateInput(system.DomainCreateInput{Domain: code + ".localhost", IsPrimary: nullable.NewNullableWithValue(true)}); err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateSchoolWithResponse(t.Context(), nil, system.SchoolCreateInput{
		Name: "School " + code, Code: code, Admin: &system.AdminInput{Email: "head@" + code + ".test", FullName: "Grace Okafor"},
		Domains: nullable.NewNullableWithValue([]system.SchoolCreateInput_Domains_Item{plain, primary}),
	})
	answered(t, http.StatusCreated, made, err)
	return made
}

func create(t *testing.T, s service) {
	client := s.owner(t)
	school := newSchool(t, client, "elm").JSON201
	if school.State != system.NewSchoolStateReady || school.AdminInvite == nil {
		t.Errorf("made %+v", school)
	}
	domains := map[string]bool{}
	for _, domain := range school.Domains {
		domains[domain.Domain] = domain.IsPrimary
	}
	if len(school.Domains) != 2 || !domains["elm.localhost"] || domains["elm.test"] {
		t.Errorf("domains: %v", domains)
	}
	found, err := client.GetSchoolWithResponse(t.Context(), school.Id, nil)
	answered(t, http.StatusOK, found, err)
	if found.JSON200.Name != "School elm" {
		t.Errorf("found %+v", found.JSON200)
	}
}

func list(t *testing.T, s service) {
	client := s.owner(t)
	newSchool(t, client, "fir")
	limit, most, sort := int64(1), int64(200), system.ListSchoolsParamsSortCode
	params := &system.ListSchoolsParams{Limit: &limit, Sort: &sort}
	var codes, all []string
	for {
		page, err := client.ListSchoolsWithResponse(t.Context(), params)
		answered(t, http.StatusOK, page, err)
		if len(page.JSON200.Items) != 1 {
			t.Fatalf("%d items", len(page.JSON200.Items))
		}
		codes = append(codes, page.JSON200.Items[0].Code)
		cursor, err := page.JSON200.NextCursor.Get()
		if err != nil { // null
			break
		}
		params.Cursor = &cursor
	}
	whole, err := client.ListSchoolsWithResponse(t.Context(), &system.ListSchoolsParams{Limit: &most, Sort: &sort})
	answered(t, http.StatusOK, whole, err)
	for _, school := range whole.JSON200.Items {
		all = append(all, school.Code)
	}
	if len(codes) < 3 || !slices.Contains(codes, "fir") || !slices.Equal(codes, all) {
		t.Errorf("page by page %v, at once %v", codes, all)
	}
}

func stale(t *testing.T, s service) {
	client := s.owner(t)
	made := newSchool(t, client, "oak")
	rename := func(name string) *system.UpdateSchoolResponse {
		changed, err := client.UpdateSchoolWithResponse(t.Context(), made.JSON201.Id,
			&system.UpdateSchoolParams{IfMatch: made.Headers201.ETag}, system.SchoolPatch{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	first := rename("Oak School")
	answered(t, http.StatusOK, first, nil)
	if first.JSON200.Name != "Oak School" {
		t.Errorf("%+v", first.JSON200)
	}
	if p := problem(t, rename("Too late"), nil); p.Code != system.PreconditionFailed || p.Status != http.StatusPreconditionFailed {
		t.Errorf("%+v", p)
	}
}

func refused(t *testing.T, s service) {
	client, ctx := s.owner(t), t.Context()
	invalid, err := client.CreateSchoolWithResponse(ctx, nil, system.SchoolCreateInput{Code: "No Good"})
	p := problem(t, invalid, err)
	if p.Code != system.InvalidInput || p.Errors == nil {
		t.Fatalf("%+v", p)
	}
	var locations []string
	for _, field := range *p.Errors {
		locations = append(locations, field.Location)
	}
	if !slices.Equal(locations, []string{"body.code", "body.name"}) {
		t.Errorf("locations: %v", locations)
	}
	newSchool(t, client, "yew")
	second, err := client.CreateSchoolWithResponse(ctx, nil, system.SchoolCreateInput{Name: "Another", Code: "yew"})
	if p := problem(t, second, err); p.Code != system.Conflict || p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
	nobody := system.NewSchool{}.Id
	missing, err := client.GetSchoolWithResponse(ctx, nobody, nil)
	if p := problem(t, missing, err); p.Code != system.NotFound || p.Status != http.StatusNotFound || p.RequestId == "" {
		t.Errorf("%+v", p)
	}
}

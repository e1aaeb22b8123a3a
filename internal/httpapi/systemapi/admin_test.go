package systemapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// TestAdmin holds that a school comes with the admin that was named, and that the invitation is good there.
func TestAdmin(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := p.call(t, "POST", "schools/", object{"name": "One", "code": "one", "admin": object{"email": "Head@one.example", "full_name": "Grace Okafor"}}).
		want(t, http.StatusCreated, `"admin_invite":"hri_`, `"code":"one"`)
	invite := made.body["admin_invite"].(string)
	p.call(t, "GET", "schools/"+made.id()+"/", nil).want(t, http.StatusOK, "!admin")
	p.call(t, "POST", "schools/", object{"name": "Two", "code": "two"}).want(t, http.StatusCreated, "!admin_invite")

	db := p.registry.Schema(postgres.Primary, "school_one")
	row := db.User.Query().OnlyX(t.Context())
	if row.Email != "head@one.example" || row.FullName != "Grace Okafor" || row.Role != auth.RoleAdmin || row.PasswordHash != nil || row.InviteHash == nil {
		t.Errorf("%v", row)
	}
	if strings.Contains(p.snapshot(t), "one.example\"") || strings.Contains(string(*row.InviteHash), invite[37:]) {
		t.Error("what is the school's alone is in the platform's tables")
	}
	desk := &auth.Desk{Tokens: p.tokens, Passwords: auth.NewPasswords()}
	accept := func(code string) error {
		_, err := desk.AcceptInvite(context.Background(), auth.Users(p.registry.Schema(postgres.Primary, "school_"+code), uuid.MustParse(made.id()), auth.Origin{}), auth.Acceptance{Token: invite, Password: password})
		return err
	}
	if err := accept("two"); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("at another school: %v", err)
	}
	must(t, accept("one"))
	if err := accept("one"); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("a second time: %v", err)
	}
}

func TestAdminRefusals(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{"POST", "schools/", `{"name":"x","code":"new","admin":{"email":"no address","full_name":"x"}}`, 422, []string{"body.admin.email"}},
		{"POST", "schools/", `{"name":"x","code":"new","admin":{"email":"x@example.org","full_name":" "}}`, 422, []string{"body.admin.full_name"}},
		{"POST", "schools/", `{"name":"x","code":"new","admin":{"email":"x@example.org"}}`, 422, []string{"body.admin.full_name"}},
		{"POST", "schools/", `{"name":"x","code":"new","admin":{"email":"x@example.org","full_name":"x","role":"owner"}}`, 422, []string{"body.admin.role"}},
		{"POST", "schools/", `{"name":"x","code":"new","admin_invite":"x"}`, 422, []string{"body.admin_invite"}},
		{"POST", "schools/", `{"name":"x","code":"taken","admin":{"email":"x@example.org","full_name":"x"}}`, 409, []string{"!hri_"}},
	})
}

package tenantapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/signin"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// Me is who is asking.
type Me struct {
	Kind     string     `json:"kind" enum:"user,platform" example:"user" doc:"A user of the school, or somebody of the platform who acts as one of its admins."`
	ID       *uuid.UUID `json:"id" format:"uuid" nullable:"true" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d00" doc:"The user's."`
	Email    *string    `json:"email" example:"ada@example.org" doc:"The user's."`
	FullName *string    `json:"full_name" example:"Ada Lovelace" doc:"The user's."`
	Role     string     `json:"role" enum:"admin,staff,teacher,guardian,student" example:"teacher" doc:"As the school has it now; somebody of the platform is an admin."`
}

// InviteInput is an invitation and the password that the invited has chosen.
type InviteInput struct {
	Token    string `json:"token" minLength:"1" maxLength:"200" example:"hri_0192f0c1..." doc:"The invitation's token."`
	Password string `json:"password" minLength:"12" maxLength:"128" format:"password" example:"a walk along the river" doc:"At least 12 characters, and none of the passwords that anybody would try first."`
}

func registerAuth(api huma.API, desk *auth.Desk) {
	book := func(ctx context.Context) auth.Book {
		t := tenantOf(ctx)
		return auth.Users(t.DB, t.ID, origin(ctx))
	}
	signin.Register(api, root, desk, book)
	accept := signin.Operation("accept-invite", root+"auth/accept-invite/", "Accept an invitation")
	accept.Description = "Gives an invited user the password that they have chosen, and lets them in; all else that they are logged in to ends, within 10 minutes. An invitation is good once and for 7 days."
	huma.Register(api, accept, func(ctx context.Context, in *struct{ Body InviteInput }) (*signin.Answer, error) {
		return signin.NewAnswer(desk.AcceptInvite(ctx, book(ctx), auth.Acceptance{Token: in.Body.Token, Password: in.Body.Password, Address: wire.Address(ctx)}))
	})
	huma.Register(api, allow(huma.Operation{
		OperationID: "get-me", Method: http.MethodGet, Path: root + "me/", Summary: "Who am I", Tags: []string{signin.Tag},
	}, anyone), inSchool(me))
}

func me(ctx context.Context, db *tenantdb.Client, _ *struct{}) (*wire.Item[Me], error) {
	asking := principalOf(ctx)
	id, ok := asking.User()
	if !ok {
		return wire.NewShown(Me{Kind: "platform", Role: asking.Role}, time.Time{}), nil
	}
	row, err := db.User.Get(ctx, id)
	if tenantdb.IsNotFound(err) {
		return nil, fault.New(fault.Unauthenticated, "You are no user of this school any more.")
	}
	if err != nil {
		return nil, err
	}
	return wire.NewShown(Me{"user", &row.ID, &row.Email, &row.FullName, asking.Role}, row.UpdatedAt), nil
}

package systemapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/signin"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// Me is who is asking.
type Me struct {
	Kind   string    `json:"kind" enum:"operator,api-key" doc:"A person or a program."`
	ID     uuid.UUID `json:"id" format:"uuid"`
	Name   string    `json:"name" example:"Ada Lovelace"`
	Email  *string   `json:"email" doc:"An operator's."`
	Role   string    `json:"role" enum:"owner,operator,viewer"`
	Scopes Scopes    `json:"scopes" doc:"What an API key is narrowed to; empty for everything of the role."`
}

// OwnPasswordInput is a new password of whoever asks.
type OwnPasswordInput struct {
	CurrentPassword string `json:"current_password" minLength:"1" maxLength:"1024" format:"password"`
	Password        string `json:"password" minLength:"12" maxLength:"128" format:"password" doc:"At least 12 characters, and none of the passwords that anybody would try first."`
}

func (s Service) registerAuth(api huma.API) {
	signin.Register(api, root+"/", s.Desk, func(ctx context.Context) auth.Book { return s.Platform.Accounts(actor(ctx)) })
	huma.Register(api, ownOperation("get-me", http.MethodGet, "/me/", signin.Tag, "Who am I"), s.me)
	change := ownOperation("change-my-password", http.MethodPost, "/me/password/", signin.Tag, "Change my password")
	change.Description = "Ends all that the operator is logged in to, within 10 minutes: log in again, with the new password."
	change.DefaultStatus = http.StatusNoContent
	huma.Register(api, change, s.changeMyPassword)
}

func (s Service) me(ctx context.Context, _ *struct{}) (*wire.Item[Me], error) {
	asking := principal(ctx)
	if id, ok := asking.Key(); ok {
		row, err := s.Platform.Key(ctx, id)
		if err != nil {
			return nil, err
		}
		return wire.NewShown(Me{"api-key", id, row.Name, nil, asking.Role, row.Scopes}, row.UpdatedAt), nil
	}
	id, _ := asking.Operator()
	row, err := s.Platform.Operator(ctx, id)
	if err != nil {
		return nil, err
	}
	return wire.NewShown(Me{"operator", id, row.FullName, &row.Email, asking.Role, Scopes{}}, row.UpdatedAt), nil
}

func (s Service) changeMyPassword(ctx context.Context, in *struct{ Body OwnPasswordInput }) (*struct{}, error) {
	id, ok := principal(ctx).Operator()
	if !ok {
		return nil, fault.New(fault.Forbidden, "An API key has no password.")
	}
	row, err := s.Platform.Operator(ctx, id)
	if err != nil {
		return nil, err
	}
	hash, err := s.Desk.Passwords.Hash(ctx, "body.password", in.Body.Password, row.Email, row.FullName)
	if err != nil {
		return nil, err
	}
	err = s.Desk.Confirm(ctx, s.Platform.Accounts(actor(ctx)), auth.Credentials{Email: row.Email, Password: in.Body.CurrentPassword, Address: wire.Address(ctx)})
	if fault.Is(err, fault.Unauthenticated) {
		return nil, fault.Invalid("body.current_password", "This is not your password.")
	}
	if err != nil {
		return nil, err
	}
	return nil, s.Platform.SetOperatorPassword(ctx, actor(ctx), id, hash)
}

// Package signin is how people log in, stay logged in and log out. It is the same in both APIs.
package signin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// Tag is what the document groups the operations under.
const Tag = "Authentication"

// Tokens are what somebody who was let in gets.
type Tokens struct {
	AccessToken      string    `json:"access_token" example:"eyJhbGciOiJFZERTQSJ9..." doc:"Goes into Authorization: Bearer."`
	ExpiresAt        time.Time `json:"expires_at" example:"2026-09-01T08:40:00Z" doc:"When the access token ends."`
	RefreshToken     string    `json:"refresh_token" example:"hrr_0192f0c1..." doc:"Good once, for the next tokens. Keep it as you would a password."`
	RefreshExpiresAt time.Time `json:"refresh_expires_at" example:"2026-10-01T08:30:00Z" doc:"When the password is needed again, however often the tokens are renewed."`
}

// Answer is the answer of operations that let somebody in.
type Answer struct{ Body Tokens }

// NewAnswer answers with a pass.
func NewAnswer(p auth.Pass, err error) (*Answer, error) {
	if err != nil {
		return nil, err
	}
	return &Answer{Tokens{p.AccessToken, p.AccessEnds, p.RefreshToken, p.RefreshEnds}}, nil
}

// LoginInput is what somebody logs in with.
type LoginInput struct {
	Email    string `json:"email" minLength:"1" maxLength:"254" example:"ada@example.org" doc:"The account's e-mail address."`
	Password string `json:"password" minLength:"1" maxLength:"1024" format:"password" example:"a walk along the river" doc:"The account's password."`
}

// RefreshInput is a refresh token.
type RefreshInput struct {
	RefreshToken string `json:"refresh_token" minLength:"1" maxLength:"200" example:"hrr_0192f0c1..." doc:"The one that was answered last."`
}

// Register adds the operations below root, for the accounts of the book that a request leads to.
func Register(api huma.API, root string, desk *auth.Desk, book func(context.Context) auth.Book) {
	login := Operation("login", root+"auth/login/", "Log in")
	login.Description = "Answers with tokens. After 10 attempts at an account in 15 minutes, or 50 in vain from an address, it is 429 for a while."
	huma.Register(api, login, func(ctx context.Context, in *struct{ Body LoginInput }) (*Answer, error) {
		return NewAnswer(desk.Login(ctx, book(ctx), auth.Credentials{Email: in.Body.Email, Password: in.Body.Password, Address: wire.Address(ctx)}))
	})
	refresh := Operation("refresh-tokens", root+"auth/refresh/", "Renew the tokens")
	refresh.Description = "Takes a refresh token, once, and answers with a new access token and the next refresh token. One that comes a second time ends all that grew from its login: somebody may have copied it."
	huma.Register(api, refresh, func(ctx context.Context, in *struct{ Body RefreshInput }) (*Answer, error) {
		return NewAnswer(desk.Refresh(ctx, book(ctx), in.Body.RefreshToken, wire.Address(ctx)))
	})
	logout := Operation("logout", root+"auth/logout/", "Log out")
	logout.Description = "Ends all that grew from the refresh token's login. Access tokens that are out end by themselves, within 10 minutes. A token that is not good is answered alike."
	logout.DefaultStatus = http.StatusNoContent
	huma.Register(api, logout, func(ctx context.Context, in *struct{ Body RefreshInput }) (*struct{}, error) {
		return nil, desk.Logout(ctx, book(ctx), in.Body.RefreshToken)
	})
}

// Operation describes an operation that needs no token.
func Operation(id, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{Tag}, Summary: summary,
		Security: wire.Public(), DefaultStatus: http.StatusOK,
	}
}

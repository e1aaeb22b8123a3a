package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// Scopes are scopes of API keys.
type Scopes []string

// Schema documents that each is one of all that there are.
func (Scopes) Schema(r huma.Registry) *huma.Schema {
	const name = "Scope"
	if r.Map()[name] == nil {
		scope := &huma.Schema{Type: huma.TypeString, Description: "A part of this API: what is named, and whether to read it or to write it, which includes to read."}
		for _, s := range auth.RoleScopes(auth.RoleOwner) {
			scope.Enum = append(scope.Enum, s)
		}
		scope.PrecomputeMessages()
		r.Map()[name] = scope
	}
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Ref: "#/components/schemas/" + name}}
}

// APIKey is a key of the platform, without its secret.
type APIKey struct {
	ID         uuid.UUID  `json:"id" format:"uuid"`
	Name       string     `json:"name" example:"billing"`
	Role       string     `json:"role" enum:"owner,operator,viewer"`
	Scopes     Scopes     `json:"scopes" doc:"What the key is narrowed to; empty for everything of its role."`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute."`
	RevokedAt  *time.Time `json:"revoked_at"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// APIKeyOf is an API key as the API shows it.
func APIKeyOf(k *publicdb.APIKey) APIKey {
	return APIKey{k.ID, k.Name, k.Role.String(), k.Scopes, k.ExpiresAt, k.LastUsedAt, k.RevokedAt, k.CreatedAt, k.UpdatedAt}
}

// APIKeyInput is what an API key is created from.
type APIKeyInput struct {
	Name      string     `json:"name" minLength:"1" maxLength:"200" example:"billing"`
	Role      string     `json:"role" enum:"owner,operator,viewer" doc:"A viewer only reads; owners also look after keys and purge schools."`
	Scopes    Scopes     `json:"scopes,omitempty" minItems:"1" maxItems:"50" doc:"What the key is narrowed to, of what its role allows. A key that has scopes itself gives some of those. Default: everything of the role."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Default: never."`
}

// NewAPIKey is an API key just made, with its token.
type NewAPIKey struct {
	APIKey
	Token string `json:"token" example:"hr_0192f0c1..." doc:"The key itself. It is shown this once."`
}

// KeyPath names a key.
type KeyPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// KeyTarget names a key that is to be changed.
type KeyTarget struct {
	KeyPath
	wire.IfMatch
}

func (s Service) registerKeys(api huma.API) {
	const tag, all, one = "API keys", "/api-keys/", "/api-keys/{id}/"
	huma.Register(api, operation("list-api-keys", http.MethodGet, all, tag, "List API keys", "api-keys:read"),
		func(ctx context.Context, in *struct {
			wire.PageInput
			Sort string `query:"sort" enum:"created_at,-created_at,name,-name" default:"created_at" doc:"With - before the name: descending."`
		},
		) (*wire.PageOutput[APIKey], error) {
			rows, next, err := s.Platform.Keys(ctx, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, APIKeyOf)
		})
	huma.Register(api, operation("create-api-key", http.MethodPost, all, tag, "Create an API key", "api-keys:write"),
		func(ctx context.Context, in *struct{ Body APIKeyInput }) (*wire.Created[NewAPIKey], error) {
			row, token, err := s.Platform.CreateKey(ctx, actor(ctx), platform.NewKey{Name: in.Body.Name, Role: in.Body.Role, Scopes: auth.Scopes(in.Body.Scopes), ExpiresAt: in.Body.ExpiresAt})
			if err != nil {
				return nil, err
			}
			return wire.NewCreated(NewAPIKey{APIKeyOf(row), token}, row.UpdatedAt, root+all+row.ID.String()+"/"), nil
		})
	huma.Register(api, operation("get-api-key", http.MethodGet, one, tag, "Get an API key", "api-keys:read"),
		func(ctx context.Context, in *KeyPath) (*wire.Item[APIKey], error) {
			row, err := s.Platform.Key(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return wire.NewShown(APIKeyOf(row), row.UpdatedAt), nil
		})
	revoke := operation("revoke-api-key", http.MethodDelete, one, tag, "Revoke an API key", "api-keys:write")
	revoke.Description = "Ends the key at once. It stays in the list, with the time of its end."
	huma.Register(api, revoke, func(ctx context.Context, in *KeyTarget) (*struct{}, error) {
		return nil, s.Platform.RevokeKey(ctx, actor(ctx), in.ID, func(row *publicdb.APIKey) error { return in.Check(row.UpdatedAt) })
	})
}

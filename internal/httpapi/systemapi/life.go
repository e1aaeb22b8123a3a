package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// Impersonating is how long the token of an impersonation lasts.
const Impersonating = 15 * time.Minute

// Impersonation is a token of an admin of a school.
type Impersonation struct {
	AccessToken string    `json:"access_token" doc:"For the tenant API, on the school's hosts."`
	ExpiresAt   time.Time `json:"expires_at"`
}

// ImpersonationInput says why somebody wants to act as a school's admin.
type ImpersonationInput struct {
	Reason string `json:"reason" minLength:"3" maxLength:"500" example:"Support call about missing results" doc:"Kept in the audit, and in the school's own."`
}

// PurgeInput confirms that a school is to be destroyed.
type PurgeInput struct {
	Confirm string `json:"confirm" maxLength:"40" example:"greenwood" doc:"The school's code."`
}

func (s Service) registerLife(api huma.API) {
	remove := operation("delete-school", http.MethodDelete, "/schools/{id}/", "Schools", "Delete a school", "schools:write")
	remove.Description = "Takes the school off the air at once. Its data is kept and can be restored."
	huma.Register(api, remove, func(ctx context.Context, in *SchoolTarget) (*struct{}, error) {
		return nil, s.Platform.Delete(ctx, actor(ctx), in.ID, func(row *publicdb.School) error { return in.Check(row.UpdatedAt) })
	})

	restore := operation("restore-school", http.MethodPost, "/schools/{id}/restore/", "Schools", "Restore a deleted school", "schools:write")
	restore.DefaultStatus = http.StatusOK
	restore.Description = "Brings the school back as it was. One whose purge has begun can't be restored."
	huma.Register(api, restore, func(ctx context.Context, in *SchoolPath) (*wire.Item[School], error) {
		return schoolItem(s.Platform.Restore(ctx, actor(ctx), in.ID))
	})

	s.registerPurge(api)

	impersonate := operation("impersonate-school", http.MethodPost, "/schools/{id}/impersonate/", "Schools", "Act as an admin of a school", "schools:impersonate")
	impersonate.DefaultStatus = http.StatusOK
	impersonate.Description = "Answers with an access token of an admin of the school, for 15 minutes. Who asked and why is kept in the audit, and in the school's own."
	huma.Register(api, impersonate, func(ctx context.Context, in *struct {
		SchoolPath
		Body ImpersonationInput
	},
	) (*struct{ Body Impersonation }, error) {
		token, expires, err := s.Desk.Tokens.ForSchool(in.ID, auth.Principal{Name: principal(ctx).Name, Role: auth.RoleAdmin}, Impersonating)
		if err != nil {
			return nil, err
		}
		if err := s.Platform.Impersonated(ctx, actor(ctx), in.ID, in.Body.Reason, expires); err != nil {
			return nil, err
		}
		return &struct{ Body Impersonation }{Impersonation{token, expires}}, nil
	})
}

// PurgeOutput is the answer to who did not want to wait for the end of a school.
type PurgeOutput struct {
	Status     int
	Location   string `header:"Location" doc:"The path of the operation."`
	Preference string `header:"Preference-Applied"`
	Body       Operation
}

func (s Service) registerPurge(api huma.API) {
	purge := operation("purge-school", http.MethodPost, "/schools/{id}/purge/", "Schools", "Destroy a school and its data", "schools:purge")
	purge.DefaultStatus = http.StatusNoContent
	purge.Description = "Drops the school's schema, or the database that was made for it, now. Nothing brings it back. With `Prefer: respond-async` the answer is 202 and an operation that does it."
	purge.Responses = map[string]*huma.Response{}
	huma.Register(api, purge, func(ctx context.Context, in *struct {
		SchoolPath
		wire.Prefer
		Body PurgeInput
	},
	) (*PurgeOutput, error) {
		if !in.Async() {
			return nil, s.Platform.Purge(ctx, actor(ctx), in.ID, in.Body.Confirm)
		}
		row, err := s.Platform.BeginPurge(ctx, actor(ctx), in.ID, in.Body.Confirm)
		if err != nil {
			return nil, err
		}
		if err := s.Begin(ctx, row.ID); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("an operation begins a little later")
		}
		return &PurgeOutput{http.StatusAccepted, root + "/operations/" + row.ID.String() + "/", wire.RespondAsync, OperationOf(row)}, nil
	})
	accepted := purge.Responses["204"]
	accepted.Description = "Accepted"
	purge.Responses["202"], purge.Responses["204"] = accepted, &huma.Response{Description: "No Content"}
}

package tenantapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// School is the school itself as it is shown.
type School struct {
	ID   uuid.UUID `json:"id" format:"uuid" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d00" doc:"Given by the platform."`
	Name string    `json:"name" example:"Greenwood High" doc:"The name."`
	Code string    `json:"code" example:"greenwood" doc:"The short name by which the platform knows it."`
}

func registerSchool(api huma.API) {
	huma.Register(api, allow(huma.Operation{
		OperationID: "get-school", Method: http.MethodGet, Path: root + "school/", Summary: "Get the school", Tags: []string{"School"},
	}, readers), func(ctx context.Context, _ *struct{}) (*wire.Item[School], error) {
		t := tenantOf(ctx)
		return wire.NewShown(School{t.ID, t.Name, t.Code}, time.Time{}), nil
	})
}

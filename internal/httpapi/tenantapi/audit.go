package tenantapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// AuditEvent is who came to the school, or what was done to one of its users, when and from where.
type AuditEvent struct {
	Key
	At        time.Time      `json:"at" example:"2026-09-01T08:30:00Z" doc:"When it was done."`
	Actor     string         `json:"actor" example:"user:019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d00" doc:"Kind and id: a user of the school; nobody for an account that there is none of; of the platform an operator, an api-key, or shell for somebody on the machine itself."`
	Action    string         `json:"action" example:"user.login" doc:"What was done."`
	RequestID *string        `json:"request_id" example:"019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d77" doc:"Names the request in the service's log."`
	Address   *string        `json:"address" example:"192.0.2.7" doc:"The client's IP address."`
	Details   map[string]any `json:"details" example:"{\"reason\": \"Support call about missing results\"}" doc:"More of it: of an impersonation the reason, and until when it lasts; of a change to a user what there was before and after it, and which personal data changed."`
}

type auditList struct {
	wire.PageInput
	Sort string `query:"sort" default:"-at" enum:"-at,at" doc:"What to sort by; with - before it, in descending order."`
}

var auditOrder = keyset.Order[tenantdb.AuditEvent]{
	Keys: []keyset.Key[tenantdb.AuditEvent]{
		{Name: "at", Value: func(e *tenantdb.AuditEvent) string { return keyset.Time(e.At) }},
	},
	ID: func(e *tenantdb.AuditEvent) uuid.UUID { return e.ID },
}

func registerAudit(api huma.API) {
	huma.Register(api, allow(huma.Operation{
		OperationID: "list-audit-events", Method: http.MethodGet, Path: root + "audit-events/", Summary: "List who came to the school", Tags: []string{"Audit"},
		Description: "Logins, logouts, what was done to users, and who of the platform has acted as an admin of the school and why; the newest first.",
	}, []string{auth.RoleAdmin}), inSchool(auditEvents))
}

func auditEvents(ctx context.Context, db *tenantdb.Client, in *auditList) (*wire.PageOutput[AuditEvent], error) {
	rows, next, err := keyset.List(ctx, db.AuditEvent.Query(), auditOrder, page(in.PageInput, in.Sort))
	if err != nil {
		return nil, err
	}
	events := make([]AuditEvent, len(rows))
	for i, e := range rows {
		events[i] = AuditEvent{Key{e.ID}, e.At.UTC(), e.Actor, e.Action, e.RequestID, e.Address, e.Details}
		if e.Details == nil {
			events[i].Details = map[string]any{}
		}
	}
	return wire.NewPage(ctx, events, next), nil
}

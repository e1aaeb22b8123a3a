package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// AuditEvent is who did what to which school, when and from where.
type AuditEvent struct {
	ID         uuid.UUID      `json:"id" format:"uuid"`
	At         time.Time      `json:"at"`
	Actor      string         `json:"actor" example:"api-key:0192f0c1-7b1e-7c3a-9d58-3c5b0b7a1f11" doc:"Kind and id; shell is somebody on the machine itself."`
	Action     string         `json:"action" example:"school.update"`
	SchoolID   *uuid.UUID     `json:"school_id" format:"uuid" nullable:"true" doc:"Null if it was not done to a school."`
	SchoolCode *string        `json:"school_code" doc:"As it was before the change."`
	RequestID  *string        `json:"request_id"`
	Address    *string        `json:"address" doc:"The client's IP address."`
	Details    map[string]any `json:"details" doc:"What there was before a change and what there is after it. No secrets, and of personal data only which changed."`
}

// AuditEventOf is an audit event as the API shows it.
func AuditEventOf(e *publicdb.AuditEvent) AuditEvent {
	details := e.Details
	if details == nil {
		details = map[string]any{}
	}
	return AuditEvent{e.ID, e.At, e.Actor, e.Action, e.SchoolID, e.SchoolCode, e.RequestID, e.Address, details}
}

// AuditListInput is how audit events may be listed.
type AuditListInput struct {
	wire.PageInput
	Sort   string    `query:"sort" enum:"-at,at" default:"-at" doc:"- before the name: descending."`
	School string    `query:"school" maxLength:"40" doc:"A school's id, or its code at that time."`
	Actor  string    `query:"actor" maxLength:"200"`
	Action string    `query:"action" maxLength:"80" example:"school.update"`
	Since  time.Time `query:"since" doc:"At this time or later."`
	Until  time.Time `query:"until" doc:"Before this time."`
}

func (s Service) registerAudit(api huma.API) {
	events := operation("list-audit-events", http.MethodGet, "/audit-events/", "Audit", "List what was done", "audit-events:read")
	events.Description = "Every change by this API and by the command line, the newest first."
	huma.Register(api, events, func(ctx context.Context, in *AuditListInput) (*wire.PageOutput[AuditEvent], error) {
		rows, next, err := s.Platform.AuditEvents(ctx, platform.AuditFilter{
			School: in.School, Actor: in.Actor, Action: in.Action, Since: in.Since, Until: in.Until,
		}, page(in.PageInput, in.Sort))
		return pageOf(ctx, rows, next, err, AuditEventOf)
	})
}

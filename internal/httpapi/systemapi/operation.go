package systemapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// Operation is work that takes longer than a request.
type Operation struct {
	ID         uuid.UUID  `json:"id" format:"uuid"`
	Kind       string     `json:"kind" example:"school.purge"`
	State      string     `json:"state" enum:"pending,running,succeeded,failed"`
	Progress   int        `json:"progress" minimum:"0" maximum:"100" doc:"In percent."`
	Detail     string     `json:"detail" doc:"What is being done, in words."`
	Error      *string    `json:"error" doc:"Why it failed."`
	SchoolID   *uuid.UUID `json:"school_id" format:"uuid" nullable:"true"`
	SchoolCode *string    `json:"school_code"`
	CreatedBy  string     `json:"created_by" example:"api-key:0192f0c1-7b1e-7c3a-9d58-3c5b0b7a1f11"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// OperationOf is an operation as the API shows it.
func OperationOf(o *publicdb.Operation) Operation {
	return Operation{
		o.ID, o.Kind, o.State.String(), o.Progress, o.Detail, o.Error, o.SchoolID, o.SchoolCode, o.CreatedBy,
		o.StartedAt, o.FinishedAt, o.CreatedAt, o.UpdatedAt,
	}
}

// OperationPath names an operation.
type OperationPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The operation's id."`
}

// OperationListInput is how operations may be listed.
type OperationListInput struct {
	wire.PageInput
	Sort   string `query:"sort" enum:"-created_at,created_at" default:"-created_at" doc:"- before the name: descending."`
	State  string `query:"state" enum:"pending,running,succeeded,failed"`
	Kind   string `query:"kind" maxLength:"40" example:"school.purge"`
	School string `query:"school" maxLength:"40" doc:"A school's id, or its code at that time."`
}

func (s Service) registerOperations(api huma.API) {
	const tag, all, one = "Operations", "/operations/", "/operations/{id}/"
	huma.Register(api, operation("list-operations", http.MethodGet, all, tag, "List operations", "operations:read"),
		func(ctx context.Context, in *OperationListInput) (*wire.PageOutput[Operation], error) {
			rows, next, err := s.Platform.Operations(ctx, platform.OperationFilter{State: in.State, Kind: in.Kind, School: in.School}, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, OperationOf)
		})
	huma.Register(api, operation("get-operation", http.MethodGet, one, tag, "Get an operation", "operations:read"),
		func(ctx context.Context, in *OperationPath) (*wire.Item[Operation], error) {
			row, err := s.Platform.Operation(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return wire.NewItem(OperationOf(row), row.UpdatedAt), nil
		})
	events := operation("watch-operation", http.MethodGet, one+"events/", tag, "Watch an operation", "operations:read")
	events.Description = "Server-sent events: `progress` with the operation as it is now and whenever it changes, `done` with it as it ended, and then the end of the stream. Without a `done` the client comes back with the Last-Event-ID that it has seen."
	wire.DescribeEvents(api, &events, Operation{}, "Events whose data is the operation.")
	huma.Register(api, events, func(ctx context.Context, in *struct {
		OperationPath
		LastEventID string `header:"Last-Event-ID" maxLength:"40" doc:"The id of the last event that the client has seen."`
	},
	) (*huma.StreamResponse, error) {
		row, err := s.Platform.Operation(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) { s.watch(ctx, row, in.LastEventID) }}, nil
	})
}

// eventID names what there was to tell of an operation at one time.
func eventID(o *publicdb.Operation) string {
	return o.State.String() + "-" + strings.Trim(wire.ETag(o.UpdatedAt), `"`)
}

// watch streams an operation to a client that has seen its state of last, until it ends. Only the first
// row is read for this client: see platform.Watcher.
func (s Service) watch(ctx huma.Context, row *publicdb.Operation, last string) {
	if row.FinishedAt != nil && eventID(row) == last {
		ctx.SetStatus(http.StatusNoContent)
		return
	}
	states, stop := s.Watcher.Watch(row.ID)
	defer stop()
	beat := time.NewTicker(wire.Heartbeat)
	defer beat.Stop()
	events, err := wire.BeginEvents(ctx)
	for err == nil {
		if id := eventID(row); id != last {
			last = id
			if row.FinishedAt != nil {
				_ = events.Send("done", id, OperationOf(row)) // this is the end either way
				return
			}
			err = events.Send("progress", id, OperationOf(row))
			continue
		}
		select {
		case <-events.Gone:
			return
		case next, open := <-states:
			if !open {
				return
			}
			row = next
		case <-beat.C:
			err = events.Beat()
		}
	}
}

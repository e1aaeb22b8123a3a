package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// Migration is where a school stands with its migrations.
type Migration struct {
	ID         uuid.UUID  `json:"id" format:"uuid" doc:"The school's."`
	School     string     `json:"school" example:"greenwood" doc:"Its code."`
	Name       string     `json:"name" example:"Greenwood High School"`
	Database   string     `json:"database" example:"primary"`
	Schema     string     `json:"schema" example:"school_greenwood"`
	Version    string     `json:"version" example:"20261123115728" doc:"The last migration that was applied."`
	Pending    []string   `json:"pending" example:"[\"20261124090000\"]" doc:"The migrations to come, in their order."`
	State      string     `json:"state" enum:"current,behind,ahead,failed" doc:"behind: migrations are to come. ahead: a newer program has been here. failed: its last migration did."`
	MigratedAt *time.Time `json:"migrated_at" doc:"When a migration last changed the schema, or failed to; null since its creation."`
	MS         int64      `json:"ms" example:"17" doc:"How long that took, in milliseconds."`
	Error      *string    `json:"error" example:"ERROR: relation \"homework\" already exists (SQLSTATE 42P07)" doc:"Why it failed, in PostgreSQL's words; null if it did not."`
}

// MigrationSummary counts all schools, whatever the list is narrowed to.
type MigrationSummary struct {
	Version string `json:"version" example:"20261124090000" doc:"The last migration that the service carries."`
	Current int    `json:"current" example:"998"`
	Behind  int    `json:"behind" example:"1"`
	Ahead   int    `json:"ahead" example:"0"`
	Failed  int    `json:"failed" example:"1"`
}

// MigrationPage is a part of the fleet, with a summary of the whole.
type MigrationPage struct {
	wire.Page[Migration]
	Summary MigrationSummary `json:"summary"`
}

// MigrationListInput is how the fleet may be listed.
type MigrationListInput struct {
	wire.PageInput
	Sort     string `query:"sort" enum:"code,-code,name,-name" default:"code" doc:"With - before the name: descending."`
	Search   string `query:"search" maxLength:"200" doc:"In name and code."`
	State    string `query:"state" enum:"current,behind,ahead,failed"`
	Database string `query:"database" maxLength:"63"`
}

// MigrationListOutput is the answer with a part of the fleet.
type MigrationListOutput struct {
	Link string `header:"Link" doc:"The next page as rel=\"next\" (RFC 8288), if there is one."`
	Body MigrationPage
}

func migrationOf(m *platform.Migration) Migration {
	s := m.School
	out := Migration{
		ID: s.ID, School: s.Code, Name: s.Name, Database: s.Database, Schema: s.SchemaName, Version: s.SchemaVersion,
		Pending: append([]string{}, m.Pending...), State: m.State, MigratedAt: s.MigratedAt, MS: s.MigrationMs,
	}
	if s.MigrationError != "" {
		out.Error = &s.MigrationError
	}
	return out
}

func (s Service) registerMigrations(api huma.API) {
	all := operation("list-migrations", http.MethodGet, "/migrations/", "Migrations", "List where the schools stand", "migrations:read")
	all.Description = "As far as the platform knows; `homeroom migrate status --verify` looks at the schools' own revisions and corrects it."
	huma.Register(api, all, func(ctx context.Context, in *MigrationListInput) (*MigrationListOutput, error) {
		fleet, err := s.Platform.Fleet(ctx)
		if err != nil {
			return nil, err
		}
		rows, next, err := s.Platform.Migrations(ctx, platform.MigrationFilter{State: in.State, Database: in.Database, Search: in.Search}, page(in.PageInput, in.Sort))
		list, err := pageOf(ctx, rows, next, err, migrationOf)
		if err != nil {
			return nil, err
		}
		return &MigrationListOutput{list.Link, MigrationPage{list.Body, MigrationSummary(fleet)}}, nil
	})
}

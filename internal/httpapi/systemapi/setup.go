package systemapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/ent/mixin"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// SetupInput is a school's onboarding; it is also what a GET answers with.
type SetupInput struct {
	Steps       []SetupStep `json:"steps" maxItems:"100"`
	ContactedBy *string     `json:"contacted_by,omitempty" minLength:"1" maxLength:"200" doc:"Who of the platform is in touch with the school."`
}

// Setup is a school's onboarding.
type Setup struct {
	Steps       []SetupStep `json:"steps"`
	ContactedBy *string     `json:"contacted_by" doc:"Who of the platform is in touch with the school."`
}

// SetupStep is one step of a school's onboarding.
type SetupStep struct {
	ID     string `json:"id" minLength:"1" maxLength:"60" example:"students"`
	Title  string `json:"title" minLength:"1" maxLength:"200" example:"Bring in the students and their guardians"`
	Status string `json:"status" enum:"pending,in_progress,done,skipped"`
}

func setupIn(row *publicdb.SchoolSetup) SetupInput {
	in := SetupInput{Steps: []SetupStep{}, ContactedBy: row.ContactedBy}
	for _, step := range row.Steps {
		in.Steps = append(in.Steps, SetupStep(step))
	}
	return in
}

func setupItem(row *publicdb.SchoolSetup, err error) (*wire.Item[Setup], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewItem(Setup(setupIn(row)), row.UpdatedAt), nil
}

func (s Service) registerSetup(api huma.API) {
	const path = "/schools/{id}/setup/"
	huma.Register(api, operation("get-school-setup", http.MethodGet, path, "Setup", "Get a school's setup", "setup:read"),
		func(ctx context.Context, in *SchoolPath) (*wire.Item[Setup], error) {
			return setupItem(s.Platform.Setup(ctx, in.ID))
		})
	huma.Register(api, operation("replace-school-setup", http.MethodPut, path, "Setup", "Replace a school's setup", "setup:write"),
		func(ctx context.Context, in *struct {
			SchoolTarget
			Body SetupInput
		},
		) (*wire.Item[Setup], error) {
			return s.updateSetup(ctx, in.SchoolTarget, func(SetupInput) (SetupInput, error) { return in.Body, nil })
		})
	huma.Register(api, operation("update-school-setup", http.MethodPatch, path, "Setup", "Change a school's setup", "setup:write"),
		func(ctx context.Context, in *struct {
			SchoolTarget
			Body wire.Patch[SetupInput]
		},
		) (*wire.Item[Setup], error) {
			return s.updateSetup(ctx, in.SchoolTarget, in.Body.Apply)
		})
}

func (s Service) updateSetup(ctx context.Context, c SchoolTarget, edit func(SetupInput) (SetupInput, error)) (*wire.Item[Setup], error) {
	return setupItem(s.Platform.UpdateSetup(ctx, actor(ctx), c.ID, func(row *publicdb.SchoolSetup) (change platform.SetupChange, err error) {
		if err := c.Check(row.UpdatedAt); err != nil {
			return change, err
		}
		in, err := edit(setupIn(row))
		change.Steps, change.ContactedBy = []mixin.SetupStep{}, in.ContactedBy
		for _, step := range in.Steps {
			change.Steps = append(change.Steps, mixin.SetupStep(step))
		}
		return change, err
	}))
}

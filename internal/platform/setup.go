package platform

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/ent/public/schoolsetup"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// The status of a step of a school's onboarding.
const (
	StepPending    = "pending"
	StepInProgress = "in_progress"
	StepDone       = "done"
	StepSkipped    = "skipped"
)

// firstSteps is the onboarding that every school begins with.
func firstSteps() []mixin.SetupStep {
	steps := []mixin.SetupStep{
		{ID: "profile", Title: "Check the school's name and domains"},
		{ID: "calendar", Title: "Enter the academic year and its terms"},
		{ID: "staff", Title: "Bring in the staff"},
		{ID: "students", Title: "Bring in the students and their guardians"},
		{ID: "classes", Title: "Set up subjects, classes and enrollments"},
		{ID: "whatsapp", Title: "Connect the guardians' WhatsApp numbers"},
	}
	for i := range steps {
		steps[i].Status = StepPending
	}
	return steps
}

// Progress says how far the steps have come: an onboarding is completed when every step is done or
// skipped. One without steps has not been started.
func Progress(steps []mixin.SetupStep) school.SetupProgress {
	open := func(s mixin.SetupStep) bool { return s.Status == StepPending || s.Status == StepInProgress }
	touched := func(s mixin.SetupStep) bool { return s.Status != StepPending }
	switch {
	case !slices.ContainsFunc(steps, touched):
		return school.SetupProgressNotStarted
	case slices.ContainsFunc(steps, open):
		return school.SetupProgressInProgress
	}
	return school.SetupProgressCompleted
}

// Setup returns a school's onboarding.
func (p *Platform) Setup(ctx context.Context, schoolID uuid.UUID) (*publicdb.SchoolSetup, error) {
	row, err := p.registry.Public().SchoolSetup.Query().Where(schoolsetup.SchoolID(schoolID)).Only(ctx)
	return row, notFound(err, "school")
}

// SetupChange is what of an onboarding may be changed.
type SetupChange struct {
	Steps       []mixin.SetupStep
	ContactedBy *string
}

// UpdateSetup changes a school's onboarding; the school's setup_progress follows from the steps.
func (p *Platform) UpdateSetup(ctx context.Context, by Actor, schoolID uuid.UUID, edit func(*publicdb.SchoolSetup) (SetupChange, error)) (row *publicdb.SchoolSetup, err error) {
	err = p.changeLive(ctx, schoolID, func(tx *publicdb.Client, owner *publicdb.School) error {
		old, err := tx.SchoolSetup.Query().Where(schoolsetup.SchoolID(schoolID)).Only(ctx)
		if err != nil {
			return notFound(err, "school")
		}
		change, err := edit(old)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for i, step := range change.Steps {
			if seen[step.ID] {
				return fault.Invalid(fmt.Sprintf("body.steps[%d].id", i), "Two steps have the same id.")
			}
			seen[step.ID] = true
		}
		update := tx.SchoolSetup.UpdateOne(old).SetSteps(change.Steps).SetNillableContactedBy(change.ContactedBy)
		if change.ContactedBy == nil {
			update.ClearContactedBy()
		}
		if row, err = update.Save(ctx); err != nil {
			return err
		}
		progress := Progress(change.Steps)
		if progress != owner.SetupProgress {
			if err := tx.School.UpdateOne(owner).SetSetupProgress(progress).Exec(ctx); err != nil {
				return err
			}
		}
		details := changed(facts{"steps": old.Steps}, facts{"steps": row.Steps})
		details["changed"] = changedFields(map[string][2]*string{"contacted_by": {old.ContactedBy, row.ContactedBy}})
		return audit(ctx, tx, by, "setup.update", owner, details)
	})
	return row, err
}

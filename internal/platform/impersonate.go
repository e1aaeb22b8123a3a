package platform

import (
	"context"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// Impersonated records that somebody is given a token of an admin of a school, why and until when: in the
// school's own audit, then in the platform's. The token may be handed out once it returns nil. A school
// that is not on the air is a Conflict.
func (p *Platform) Impersonated(ctx context.Context, by Actor, id uuid.UUID, reason string, until time.Time) error {
	row, err := p.School(ctx, id)
	if err != nil {
		return err
	}
	if err := onAir(row); err != nil {
		return err
	}
	const action = "school.impersonate"
	details := facts{"reason": reason, "until": until}
	deed := auth.Deed{Origin: auth.Origin{RequestID: by.RequestID, Address: by.Address}, Actor: by.Name, Action: action, Details: details}
	err = deed.Record(ctx, p.registry.Schema(tenancy.DatabaseOf(row), row.SchemaName))
	if postgres.IsUndefined(err) {
		return fault.New(fault.SchoolUnavailable, "The school's tables are not up to date.").Because(err)
	}
	if err != nil {
		return err
	}
	return p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if err := onAir(row); err != nil {
			return err
		}
		return audit(ctx, tx, by, action, row, details)
	})
}

func onAir(row *publicdb.School) error {
	if row.State != school.StateReady || !row.IsActive {
		return fault.New(fault.Conflict, "This school is not on the air.")
	}
	return nil
}

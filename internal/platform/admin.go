package platform

import (
	"context"
	"time"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// withAdmin is Fill with the school's first admin, if one is named, before it.
func (n NewSchool) withAdmin(ctx context.Context, now time.Time) func(*tenancy.Tx, *publicdb.School) error {
	if n.Admin == nil {
		return n.Fill
	}
	return func(tx *tenancy.Tx, row *publicdb.School) error {
		if err := auth.Invite(ctx, tx.Schema(row.SchemaName), *n.Admin, now); err != nil || n.Fill == nil {
			return err
		}
		return n.Fill(tx, row)
	}
}

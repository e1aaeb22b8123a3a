package platform

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// The kinds of operations.
const (
	purging  = "school.purge"
	expiring = "school.expire" // a purge whose time has come
)

// Retention is who ends schools that have been deleted for long enough.
var Retention = Actor{Name: "retention"}

// BeginPurge is Purge as an operation, which Perform carries out. What Purge would refuse at once, it
// refuses too.
func (p *Platform) BeginPurge(ctx context.Context, by Actor, id uuid.UUID, confirm string) (op *publicdb.Operation, err error) {
	err = p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if err := confirmedBy(confirm)(row); err != nil {
			return err
		}
		op, err = begin(ctx, tx, by, purging, row)
		return err
	})
	return op, err
}

// Expire begins the purge of each school that was deleted before a time, and goes on with those that such a
// purge has left half done. One that can't be purged now, because something else is done to it, waits for
// the next call.
func (p *Platform) Expire(ctx context.Context, before time.Time) error {
	due, err := p.registry.Public().School.Query().Where(school.Or(
		school.And(school.StateEQ(school.StateDeleted), school.DeletedAtLT(before)), school.StateEQ(school.StateFailed),
	)).IDs(ctx)
	for _, id := range due {
		one := p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
			return expire(ctx, tx, row, before)
		})
		if !fault.Is(one, fault.Conflict) && !fault.Is(one, fault.NotFound) {
			err = errors.Join(err, one)
		}
	}
	return err
}

func expire(ctx context.Context, tx *publicdb.Client, row *publicdb.School, before time.Time) error {
	half := false
	if row.State == school.StateFailed {
		var err error
		if half, err = tx.Operation.Query().Where(operation.SchoolID(row.ID), operation.Kind(expiring)).Exist(ctx); err != nil {
			return err
		}
	}
	due := row.State == school.StateDeleted && row.DeletedAt.Before(before) // still: it may be restored just now
	if !half && !due {
		return nil
	}
	op, err := begin(ctx, tx, Retention, expiring, row)
	if err == nil && half {
		err = tx.Operation.UpdateOne(op).SetStartedAt(op.CreatedAt).Exec(ctx)
	}
	return err
}

// expired lets end what was to end when the operation began: not a school that was restored since, even if it
// is deleted again by now.
func expired(op *publicdb.Operation) func(*publicdb.School) error {
	begun := op.StartedAt != nil
	return func(row *publicdb.School) error {
		if begun && row.State == school.StateFailed { // taken off the air for good, now or by an attempt before
			return nil
		}
		if row.State != school.StateDeleted || !row.DeletedAt.Before(op.CreatedAt) {
			return fault.New(fault.Conflict, "This school was restored.")
		}
		begun = true
		return nil
	}
}

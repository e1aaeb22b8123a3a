package platform

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// change runs do in one transaction with the school's row locked.
func (p *Platform) change(ctx context.Context, id uuid.UUID, do func(*publicdb.Client, *publicdb.School) error) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err := tx.School.Query().Where(school.ID(id)).ForUpdate().Only(ctx)
		if err != nil {
			return notFound(err, "school")
		}
		return do(tx, row)
	})
}

// changeLive is change for what a deleted school does not take: that is a Conflict.
func (p *Platform) changeLive(ctx context.Context, id uuid.UUID, do func(*publicdb.Client, *publicdb.School) error) error {
	return p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if err := live(row); err != nil {
			return err
		}
		return do(tx, row)
	})
}

func live(row *publicdb.School) error {
	if row.State == school.StateDeleted {
		return fault.New(fault.Conflict, "This school is deleted: restore it first.")
	}
	return made(row)
}

// made holds off from a school that is being made, which whoever makes it may take back.
func made(row *publicdb.School) error {
	if row.State == school.StateProvisioning {
		return fault.New(fault.Conflict, "This school is being made: try again in a moment.")
	}
	return nil
}

// Delete takes a school off the air at once and keeps its data. Deleting it again is NotFound, and one of
// which a purge has left but half is a Conflict. check may refuse, given the row as it is at that moment.
func (p *Platform) Delete(ctx context.Context, by Actor, id uuid.UUID, check func(*publicdb.School) error) error {
	return p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if row.State == school.StateDeleted {
			return fault.New(fault.NotFound, "This school is deleted already.")
		}
		if row.State == school.StateFailed {
			return fault.New(fault.Conflict, "This school is being purged, and not to the end yet: purge it again.")
		}
		if err := made(row); err != nil {
			return err
		}
		if err := check(row); err != nil {
			return err
		}
		after, err := tx.School.UpdateOne(row).SetState(school.StateDeleted).SetDeletedAt(p.now()).Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "school.delete", row, changed(schoolFacts(row), schoolFacts(after)))
	})
}

// Restore brings a deleted school back as it was. A school that is not deleted, or to which something is
// still to be done, such as its purge, is a Conflict.
func (p *Platform) Restore(ctx context.Context, by Actor, id uuid.UUID) (*publicdb.School, error) {
	err := p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if row.State != school.StateDeleted {
			return fault.New(fault.Conflict, "This school is not deleted.")
		}
		if err := idle(ctx, tx, row); err != nil {
			return err
		}
		after, err := tx.School.UpdateOne(row).SetState(school.StateReady).ClearDeletedAt().Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "school.restore", row, changed(schoolFacts(row), schoolFacts(after)))
	})
	if err != nil {
		return nil, err
	}
	return p.School(ctx, id)
}

// Purge drops a school's schema, or the database that was made for it, and everything the platform
// knows of it, for good. confirm must be the school's code. A school that somebody is making at this
// moment is a Conflict.
func (p *Platform) Purge(ctx context.Context, by Actor, id uuid.UUID, confirm string) error {
	return p.purge(ctx, by, id, confirmedBy(confirm))
}

// purge is Purge as far as may lets it, given the row as it is at that moment. It may be repeated after
// any failure; what an earlier attempt has brought to its end is NotFound.
func (p *Platform) purge(ctx context.Context, by Actor, id uuid.UUID, may func(*publicdb.School) error) error {
	row, err := p.School(ctx, id)
	switch {
	case err != nil:
		return err
	case row.State == school.StateProvisioning:
		return p.purgeClaim(ctx, by, row, may)
	case onPrimary(row):
		return p.purgeRow(ctx, by, id, may, func(tx *publicdb.Client, row *publicdb.School) error {
			_, err := tx.ExecContext(ctx, dropSchemaScript(row))
			return err
		})
	}
	return p.registry.OnConn(ctx, row.Database, func(conn *pgx.Conn) error {
		// First off the air for good: two databases have no common commit, and half a school can't serve.
		err := p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
			if err := may(row); err != nil {
				return err
			}
			if row.State == school.StateFailed { // by an attempt before
				return nil
			}
			after, err := tx.School.UpdateOne(row).SetState(school.StateFailed).ClearDeletedAt().Save(ctx)
			if err != nil {
				return err
			}
			return audit(ctx, tx, by, "school.begin-purge", row, changed(schoolFacts(row), schoolFacts(after)))
		})
		if err == nil {
			err = p.drop(ctx, conn, row)
		}
		if err != nil {
			return err
		}
		return p.purgeRow(ctx, by, id, may, func(*publicdb.Client, *publicdb.School) error { return nil })
	})
}

// purgeClaim is Purge for a school whose making was cut off.
func (p *Platform) purgeClaim(ctx context.Context, by Actor, claim *publicdb.School, may func(*publicdb.School) error) error {
	free, err := p.unattended(ctx, claim, func(conn *pgx.Conn) error {
		if _, err := p.built(ctx, conn, claim); err != nil { // what is being built there comes to its end
			return err
		}
		return p.purgeRow(ctx, by, claim.ID, may, func(_ *publicdb.Client, row *publicdb.School) error {
			if row.State != school.StateProvisioning {
				return fault.New(fault.Conflict, "This school has been made in the meantime: look at it again.")
			}
			return p.drop(ctx, conn, row)
		})
	})
	if err == nil && !free {
		return made(claim)
	}
	return err
}

// Abandon is Purge for a school whose making was cut off and whose database can't be reached, perhaps never
// again. It says what may be left there for somebody to drop, "" if nothing is. Whoever makes the school
// after all finds it gone and takes it back. Any other school whose database can't be reached is a Conflict.
func (p *Platform) Abandon(ctx context.Context, by Actor, id uuid.UUID, confirm string) (left string, err error) {
	if err := p.Purge(ctx, by, id, confirm); !fault.Is(err, fault.DatabaseUnavailable) {
		return "", err
	}
	err = p.purgeRow(ctx, by, id, confirmedBy(confirm), func(tx *publicdb.Client, row *publicdb.School) error {
		if row.State != school.StateProvisioning {
			return fault.New(fault.Conflict, "The school's database can't be reached, and it holds its records: it can't be abandoned.")
		}
		left = leftovers(row)
		return audit(ctx, tx, by, "school.abandon", row, map[string]any{"database": row.Database, "left": left})
	})
	return left, err
}

// leftovers says what there may be of a school that was not made to the end.
func leftovers(row *publicdb.School) string {
	what := "the schema " + row.SchemaName
	if row.Isolation == school.IsolationDatabase {
		what = "the database " + row.SchemaName + " (the schema, where " + row.Database + " is a dedicated database)"
	}
	if row.RoleName != "" {
		what += " and the role " + row.RoleName
	}
	return fmt.Sprintf("On the server of %s, what bears the comment %q: %s.", row.Database, mark(row.ID), what)
}

// purgeRow removes what the platform's tables hold of a school, after before, in one transaction.
func (p *Platform) purgeRow(ctx context.Context, by Actor, id uuid.UUID, may func(*publicdb.School) error, before func(*publicdb.Client, *publicdb.School) error) error {
	return p.change(ctx, id, func(tx *publicdb.Client, row *publicdb.School) error {
		if err := may(row); err != nil {
			return err
		}
		if err := before(tx, row); err != nil {
			return err
		}
		if err := tx.School.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return audit(ctx, tx, by, "school.purge", row, changed(schoolFacts(row), nil))
	})
}

// confirmedBy refuses the end of a school by mistake.
func confirmedBy(confirm string) func(*publicdb.School) error {
	return func(row *publicdb.School) error {
		if subtle.ConstantTimeCompare([]byte(confirm), []byte(row.Code)) != 1 {
			return fault.Invalid("body.confirm", "To purge a school, confirm with its code.")
		}
		return nil
	}
}

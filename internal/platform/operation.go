package platform

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// OperationFilter narrows a list of operations; an empty field does not.
type OperationFilter struct {
	State  string
	Kind   string
	School string // id, or code at that time
}

var operationOrder = keyset.Order[publicdb.Operation]{
	Keys: []keyset.Key[publicdb.Operation]{
		{Name: "created_at", Value: func(o *publicdb.Operation) string { return keyset.Time(o.CreatedAt) }},
	},
	ID: func(o *publicdb.Operation) uuid.UUID { return o.ID },
}

// Operations returns a page of operations, and the cursor of the next page.
func (p *Platform) Operations(ctx context.Context, f OperationFilter, page keyset.Page) ([]*publicdb.Operation, string, error) {
	query := p.registry.Public().Operation.Query()
	if f.State != "" {
		query.Where(operation.StateEQ(operation.State(f.State)))
	}
	if f.Kind != "" {
		query.Where(operation.Kind(f.Kind))
	}
	if id, err := uuid.Parse(f.School); err == nil {
		query.Where(operation.SchoolID(id))
	} else if f.School != "" {
		query.Where(operation.SchoolCode(f.School))
	}
	return keyset.List(ctx, query, operationOrder, page)
}

// Operation returns one operation.
func (p *Platform) Operation(ctx context.Context, id uuid.UUID) (*publicdb.Operation, error) {
	row, err := p.registry.Public().Operation.Get(ctx, id)
	return row, notFound(err, "operation")
}

// Unfinished returns the operations that are still to be done.
func (p *Platform) Unfinished(ctx context.Context) ([]uuid.UUID, error) {
	return p.registry.Public().Operation.Query().Where(operation.FinishedAtIsNil()).IDs(ctx)
}

// PruneOperations forgets the operations that ended before a time.
func (p *Platform) PruneOperations(ctx context.Context, before time.Time) error {
	_, err := p.registry.Public().Operation.Delete().Where(operation.FinishedAtLT(before)).Exec(ctx)
	return err
}

// begin takes down, in the transaction of what leads to it, an operation that is to be done to a school,
// whose row is locked. While there is one that is not finished, another is a Conflict.
func begin(ctx context.Context, tx *publicdb.Client, by Actor, kind string, row *publicdb.School) (*publicdb.Operation, error) {
	if err := idle(ctx, tx, row); err != nil {
		return nil, err
	}
	return tx.Operation.Create().SetKind(kind).SetSchoolID(row.ID).SetSchoolCode(row.Code).
		SetCreatedBy(by.Name).SetRequestID(by.RequestID).SetAddress(by.Address).Save(ctx)
}

// idle is a Conflict while an operation on a school, whose row is locked, is not finished.
func idle(ctx context.Context, tx *publicdb.Client, row *publicdb.School) error {
	busy, err := tx.Operation.Query().Where(operation.SchoolID(row.ID), operation.FinishedAtIsNil()).Exist(ctx)
	if err == nil && busy {
		return fault.New(fault.Conflict, "An operation on this school is not finished yet.")
	}
	return err
}

// Perform carries out an operation, from wherever an earlier attempt was cut off. An error means that it
// is to be called again; with last it ends the operation either way, unless ctx ends first. Whatever else
// goes wrong is the operation's own outcome.
func (p *Platform) Perform(ctx context.Context, id uuid.UUID, last bool) error {
	row, err := p.Operation(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && row.FinishedAt != nil {
		return nil
	}
	if err != nil {
		return err
	}
	update := p.registry.Public().Operation.UpdateOne(row).SetState(operation.StateRunning).SetDetail("at work")
	if row.StartedAt == nil {
		update.SetStartedAt(p.now())
	}
	if err := update.Exec(ctx); err != nil {
		return err
	}
	err = p.work(ctx, row)
	if row.StartedAt != nil && fault.Is(err, fault.NotFound) {
		err = nil // an earlier attempt came to the end, but not to say so
	}
	if err != nil && (ctx.Err() != nil || !last && passing(err)) {
		again := p.registry.Public().Operation.UpdateOne(row).SetDetail("waiting to be tried again")
		return errors.Join(err, again.Exec(context.WithoutCancel(ctx)))
	}
	return p.finish(ctx, row, err)
}

// passing reports whether what failed may go well a moment later.
func passing(err error) bool {
	kind := fault.Of(err).Kind
	return kind == fault.DatabaseUnavailable || kind == fault.Internal
}

func (p *Platform) finish(ctx context.Context, row *publicdb.Operation, failure error) error {
	update := p.registry.Public().Operation.UpdateOne(row).SetFinishedAt(p.now()).SetDetail("")
	if failure == nil {
		return update.SetState(operation.StateSucceeded).SetProgress(100).Exec(ctx)
	}
	zerolog.Ctx(ctx).Warn().Err(failure).Stringer("operation", row.ID).Msg("an operation has failed")
	return update.SetState(operation.StateFailed).SetError(fault.Of(failure).Message).Exec(ctx)
}

// work does what the kind of an operation says.
func (p *Platform) work(ctx context.Context, row *publicdb.Operation) error {
	by := Actor{Name: row.CreatedBy, RequestID: row.RequestID, Address: row.Address}
	switch row.Kind {
	case purging:
		return p.purge(ctx, by, *row.SchoolID, confirmedBy(*row.SchoolCode))
	case expiring:
		return p.purge(ctx, by, *row.SchoolID, expired(row))
	}
	return fault.New(fault.Internal, "This version of the service knows no such operation.")
}

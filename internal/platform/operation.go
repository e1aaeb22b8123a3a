package platform

import (
	"context"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
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

package tenantapi

import (
	"cmp"
	"context"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// store reads and writes the rows R of one table. M is the change to one, P what narrows a list.
type store[R any, M ent.Mutation, P ~func(*sql.Selector)] struct {
	list   func(context.Context, *tenantdb.Client, keyset.Page, []P) ([]*R, string, error)
	find   func(context.Context, *tenantdb.Client, uuid.UUID) (*R, error)
	lock   func(context.Context, *tenantdb.Client, uuid.UUID) (*R, error) // until the transaction ends
	create func(*tenantdb.Client) builder[R, M]
	update func(*tenantdb.Client, *R) builder[R, M]
	remove func(context.Context, *tenantdb.Client, *R) error
}

// builder is what ent's builders of a new row and of a changed one have in common.
type builder[R any, M ent.Mutation] interface {
	Mutation() M
	Save(context.Context) (*R, error)
}

// table is the part of ent's client of one table that a store uses.
type table[R, Q, C, U, D any] interface {
	Query() Q
	Create() C
	UpdateOne(*R) U
	DeleteOne(*R) D
}

type query[Q any, P, O ~func(*sql.Selector), R any] interface {
	keyset.Query[Q, P, O, R]
	ForUpdate(...sql.LockOption) Q
	Only(context.Context) (*R, error)
}

type remover interface{ Exec(context.Context) error }

// storeOf makes the store of a table. with adds to a query the rows that are shown with each row, so
// that a list fetches all of them at once; nil if there are none.
func storeOf[R any, M ent.Mutation, P, O ~func(*sql.Selector), Q query[Q, P, O, R], C, U builder[R, M], D remover, T table[R, Q, C, U, D]](
	of func(*tenantdb.Client) T, with func(Q) Q, order keyset.Order[R],
) store[R, M, P] {
	rows := func(db *tenantdb.Client, where ...P) Q {
		q := of(db).Query().Where(where...)
		if with != nil {
			q = with(q)
		}
		return q
	}
	one := func(id uuid.UUID) P { return P(sql.FieldEQ("id", id)) }
	return store[R, M, P]{
		list: func(ctx context.Context, db *tenantdb.Client, page keyset.Page, where []P) ([]*R, string, error) {
			return keyset.List(ctx, rows(db, where...), order, page)
		},
		find: func(ctx context.Context, db *tenantdb.Client, id uuid.UUID) (*R, error) {
			found, err := rows(db, one(id)).All(ctx)
			if err != nil || len(found) == 0 {
				return nil, cmp.Or(err, error(new(tenantdb.NotFoundError)))
			}
			return found[0], nil
		},
		lock: func(ctx context.Context, db *tenantdb.Client, id uuid.UUID) (*R, error) {
			return rows(db, one(id)).ForUpdate().Only(ctx)
		},
		create: func(db *tenantdb.Client) builder[R, M] { return of(db).Create() },
		update: func(db *tenantdb.Client, row *R) builder[R, M] { return of(db).UpdateOne(row) },
		remove: func(ctx context.Context, db *tenantdb.Client, row *R) error { return of(db).DeleteOne(row).Exec(ctx) },
	}
}

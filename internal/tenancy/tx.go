package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Tx is one transaction on the platform's tables and on those of schools, for what must happen to
// both or to neither. On a database other than primary there are schools alone.
type Tx struct{ tx *entpgx.Tx }

// Public returns the client of the platform's own tables, within the transaction.
func (t *Tx) Public() *publicdb.Client {
	return publicdb.NewClient(publicdb.Driver(t.tx.In(scope(publicSchema))))
}

// Schema returns a client of the tenant graph in the given schema, within the transaction.
func (t *Tx) Schema(name string) *tenantdb.Client {
	return tenantdb.NewClient(tenantdb.Driver(t.tx.In(scope(name))))
}

// InTx runs do in one transaction on primary. It commits if do returns nil, else nothing that do did stays. When
// it returns, this registry finds schools as the transaction left them; others do within moments.
//
// A transaction that was rolled back through no fault of its own, because the tables have been changed
// while it ran, is run once more: do must bear that.
func (r *Registry) InTx(ctx context.Context, do func(*Tx) error) error {
	return again(ctx, func(ctx context.Context) error { return r.inTx(ctx, do) })
}

func (r *Registry) inTx(ctx context.Context, do func(*Tx) error) error {
	tx, err := r.db.Begin(ctx, nil)
	if err != nil {
		return err
	}
	if r.memory.trust.get() != trusted {
		return finish(tx, func() error { return do(&Tx{tx}) })
	}
	id, heard := uuid.NewString(), make(chan struct{})
	r.fences.Store(id, heard)
	defer r.fences.Delete(id)
	err = finish(tx, func() error {
		if err := do(&Tx{tx}); err != nil {
			return err
		}
		// Behind the messages of what it has changed: who hears this has heard those.
		return tx.In(scope(publicSchema)).Exec(ctx, "SELECT pg_notify($1, $2)", []any{channel, "fence " + id}, nil)
	})
	if err != nil {
		return err
	}
	select {
	case <-heard:
	case <-ctx.Done():
	case <-time.After(fenceTime):
	}
	return nil
}

// InTxAt is InTx on a database, as DatabaseOf names it.
func (r *Registry) InTxAt(ctx context.Context, database string, do func(*Tx) error) error {
	if database == postgres.Primary {
		return r.InTx(ctx, do)
	}
	return again(ctx, func(ctx context.Context) error {
		tx, err := r.on(database).Begin(ctx, nil)
		if err != nil {
			return err
		}
		return finish(tx, func() error { return do(&Tx{tx}) })
	})
}

// fenceTime bounds the wait for a message that comes within a millisecond, or with a lost connection
// not at all.
const fenceTime = time.Second

// InTx runs do in one transaction on a school's tables, like Registry.InTx.
func InTx(ctx context.Context, db *tenantdb.Client, do func(*tenantdb.Client) error) error {
	return again(ctx, func(ctx context.Context) error {
		tx, err := db.Tx(ctx)
		if err != nil {
			return err
		}
		return finish(tx, func() error { return do(tx.Client()) })
	})
}

// again runs a transaction, and once more if it was rolled back through no fault of its own.
func again(ctx context.Context, run func(context.Context) error) error {
	err := run(ctx)
	if pgconn.SafeToRetry(err) {
		return run(entpgx.Anew(ctx))
	}
	return err
}

type transaction interface {
	Commit() error
	Rollback() error
}

func finish(tx transaction, do func() error) error {
	returned := false
	defer func() {
		if !returned { // do panicked
			_ = tx.Rollback()
		}
	}()
	err := do()
	returned = true
	if err == nil {
		return tx.Commit()
	}
	if undone := tx.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) {
		err = errors.Join(err, undone)
	}
	return unacceptable(err)
}

// unacceptable puts what ent's validators refuse into words; any other error comes back untouched.
func unacceptable(err error) error {
	var column string
	var public *publicdb.ValidationError
	var tenant *tenantdb.ValidationError
	switch {
	case errors.As(err, &public):
		column = public.Name
	case errors.As(err, &tenant):
		column = tenant.Name
	default:
		return err
	}
	return fault.Invalid("body."+column, "This value is too long, too short or not of the form that it should have.").Because(err)
}

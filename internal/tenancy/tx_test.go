package tenancy_test

import (
	"errors"
	"testing"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// A transaction that finds the tables changed is run once more, and then finds nothing prepared that is
// older than itself, however many of its statements were.
func TestTransactionIsRunAgain(t *testing.T) {
	t.Parallel()
	registry, _, names := schools(t)
	ctx, db := t.Context(), registry.Schema(postgres.Primary, names[0])
	add(db, "A-1").ExecX(ctx)
	runs := 0
	work := func(tx *tenantdb.Client) error {
		runs++
		_, students := tx.Student.Query().Only(ctx)
		_, subjects := tx.Subject.Query().All(ctx)
		_, staff := tx.Staff.Query().All(ctx)
		return errors.Join(students, subjects, staff, add(tx, "A-2").Exec(ctx), tx.Student.Update().SetLastName("Bello").Exec(ctx))
	}
	refused := errors.New("no")
	undone := func(tx *tenantdb.Client) error { return errors.Join(work(tx), refused) }
	across := func(tx *tenancy.Tx) error { return undone(tx.Schema(names[0])) }
	for name, transaction := range map[string]func() error{
		"in a school": func() error { return tenancy.InTx(ctx, db, undone) },
		"across":      func() error { return registry.InTx(ctx, across) },
		"at":          func() error { return registry.InTxAt(ctx, postgres.Primary, across) },
	} {
		for _, is := range []string{"text", "varchar"} {
			if err := transaction(); !errors.Is(err, refused) {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(ctx, "ALTER TABLE students ALTER COLUMN phone TYPE "+is+"; ALTER TABLE subjects ALTER COLUMN name TYPE "+is+"; ALTER TABLE staff ALTER COLUMN email TYPE "+is); err != nil {
				t.Fatal(err)
			}
			runs = 0
			if err := transaction(); fault.Is(err, fault.DatabaseUnavailable) || !errors.Is(err, refused) || runs != 2 {
				t.Errorf("%s, %s: %d runs, %v", name, is, runs, err)
			}
		}
	}
	runs = 0
	must(t, tenancy.InTx(ctx, db, work))
	if n := db.Student.Query().CountX(ctx); runs != 1 || n != 2 {
		t.Errorf("%d runs, %d students", runs, n)
	}
}

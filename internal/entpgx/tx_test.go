package entpgx_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		tx, err := db.Tx(ctx)
		must(t, err)
		add(tx.Client(), "kept").ExecX(ctx)
		if n := db.Student.Query().CountX(ctx); n != 0 {
			t.Errorf("%d seen before the end", n)
		}
		must(t, tx.Commit())
		if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("a second commit: %v", err)
		}
		if err := add(tx.Client(), "late").Exec(ctx); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("after the end: %v", err)
		}
		tx, err = db.Tx(ctx)
		must(t, err)
		add(tx.Client(), "undone").ExecX(ctx)
		must(t, tx.Rollback())
		tx, err = db.Tx(ctx)
		must(t, err)
		if err := add(tx.Client(), "kept").Exec(ctx); !tenantdb.IsConstraintError(err) {
			t.Errorf("a duplicate: %v", err)
		}
		if err := add(tx.Client(), "later").Exec(ctx); sqlState(err) != "25P02" {
			t.Errorf("behind an error: %v", err)
		}
		if err := tx.Commit(); err == nil {
			t.Error("a failed transaction was committed")
		}
		if all := db.Student.Query().AllX(ctx); len(all) != 1 || all[0].AdmissionNumber != "kept" {
			t.Errorf("left: %v", all)
		}
		empty, err := db.Tx(ctx)
		must(t, err)
		must(t, empty.Commit())
	})
}

func TestIsolation(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		add(db, "1").ExecX(ctx)
		for level, want := range map[sql.IsolationLevel]string{
			sql.LevelDefault: "read committed", sql.LevelReadUncommitted: "read uncommitted", sql.LevelReadCommitted: "read committed",
			sql.LevelRepeatableRead: "repeatable read", sql.LevelSnapshot: "repeatable read", sql.LevelSerializable: "serializable",
		} {
			tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: true})
			must(t, err)
			var got []string
			must(t, tx.Student.Query().Aggregate(func(*entsql.Selector) string { return "max(current_setting('transaction_isolation'))" }).Scan(ctx, &got))
			if !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s, want %s", level, got, want)
			}
			if err := add(tx.Client(), "1").Exec(ctx); sqlState(err) != "25006" {
				t.Errorf("writing: %v", err)
			}
			_ = tx.Rollback()
		}
		if _, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelLinearizable}); err == nil {
			t.Error("linearizable was begun")
		}
		first, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		must(t, err)
		first.Student.Query().CountX(ctx)
		add(db, "2").ExecX(ctx)
		if n := first.Student.Query().CountX(ctx); n != 1 {
			t.Errorf("%d seen in a snapshot of one", n)
		}
		db.Student.Update().SetFirstName("Else").ExecX(ctx)
		if err := first.Student.Update().SetFirstName("Mine").Exec(ctx); sqlState(err) != "40001" {
			t.Errorf("two writers: %v", err)
		}
		must(t, first.Rollback())
	})
}

func TestLocks(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		db.Student.CreateBulk(add(db, "1"), add(db, "2")).ExecX(ctx)
		holder, err := db.Tx(ctx)
		must(t, err)
		holder.Student.Query().Where(student.AdmissionNumber("1")).ForUpdate().OnlyX(ctx)
		tx, err := db.Tx(ctx)
		must(t, err)
		if free := tx.Student.Query().ForUpdate(entsql.WithLockAction(entsql.SkipLocked)).OnlyX(ctx); free.AdmissionNumber != "2" {
			t.Errorf("free: %v", free)
		}
		if n := len(tx.Student.Query().Where(student.AdmissionNumber("2")).ForShare().AllX(ctx)); n != 1 {
			t.Errorf("%d to share", n)
		}
		if _, err := tx.Student.Query().ForShare(entsql.WithLockAction(entsql.NoWait)).All(ctx); sqlState(err) != "55P03" {
			t.Errorf("not waiting: %v", err)
		}
		must(t, tx.Rollback())
		must(t, holder.Rollback())
	})
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		tx, err := db.Tx(ctx)
		must(t, err)
		run := func(text string) error { _, err := tx.ExecContext(ctx, text); return err }
		must(t, run("SAVEPOINT before"))
		add(tx.Client(), "undone").ExecX(ctx)
		if err := run("SELECT 1/0"); sqlState(err) != "22012" {
			t.Errorf("a division: %v", err)
		}
		must(t, run("ROLLBACK TO before"))
		add(tx.Client(), "kept").ExecX(ctx)
		must(t, run("RELEASE before"))
		must(t, tx.Commit())
		if got := db.Student.Query().OnlyX(ctx); got.AdmissionNumber != "kept" {
			t.Errorf("kept: %v", got)
		}
	})
}

// TestRoleWithin holds that each statement of a transaction runs as its scope's role, or as the login.
func TestRoleWithin(t *testing.T) {
	t.Parallel()
	url, ctx := database(t), t.Context()
	role := "hr_" + strings.ToLower(rand.Text())
	script(t, url, "CREATE ROLE "+role)
	t.Cleanup(func() { script(t, url, "DROP ROLE "+role) })
	for name, way := range map[string]func(*pgxpool.Config){"named": asUsual, "unnamed": asPooled} {
		db, _ := open(t, url, entpgx.Options{}, way)
		tx, err := db.Begin(ctx, nil)
		must(t, err)
		in := tx.In(entpgx.Scope{SearchPath: "a", Role: role})
		for i, on := range []dialect.Driver{tx.In(scope("a")), in, tx.In(scope("a")), tx.In(scope("b")), in, tx.In(scope("a"))} {
			want := "true"
			if on == in {
				want = "false"
			}
			if got := value(on, "SELECT (current_user = session_user)::text"); got != want {
				t.Errorf("%s: statement %d runs as the login: %s", name, i, got)
			}
		}
		must(t, tx.Commit())
	}
}

// TestScopeWithin holds that a transaction is in the scope of each of its statements, whatever was done
// to the search_path in between.
func TestScopeWithin(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]func(*pgxpool.Config){"named": asUsual, "unnamed": asPooled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, _ := open(t, database(t, "a", "b"), entpgx.Options{}, way)
			add(client(db.Driver(scope("a"))), "A").ExecX(ctx)
			add(client(db.Driver(scope("b"))), "B").ExecX(ctx)
			tx, err := db.Begin(ctx, nil)
			must(t, err)
			a, b := client(tx.In(scope("a"))), client(tx.In(scope("b")))
			at := func(db *tenantdb.Client, text string) {
				if _, err := db.ExecContext(ctx, text); err != nil && text != "SELECT 1/0" {
					t.Errorf("%s: %v", text, err)
				}
				if text == "SELECT 1/0" {
					return
				}
				if got := a.Student.Query().OnlyX(ctx); got.AdmissionNumber != "A" {
					t.Errorf("in a after %s: %v", text, got)
				}
				if got := b.Student.Query().OnlyX(ctx); got.AdmissionNumber != "B" {
					t.Errorf("in b after %s: %v", text, got)
				}
			}
			for _, text := range []string{
				"SAVEPOINT s", "ROLLBACK TO s", "SET LOCAL search_path = b", "SELECT set_config('search_path', 'a', true)", "SET search_path = b", "SELECT 1; SET LOCAL search_path = b; SELECT 2",
				"SELECT 1/0", "/* x */ ROLLBACK TO s", "SELECT 1/0", " rollback to savepoint s;", "COMMIT", "SAVEPOINT s", "RELEASE s", "ROLLBACK", "SET search_path = ''",
			} {
				if text == "SAVEPOINT s" {
					at(b, "SELECT 'another scope'")
				}
				if text == "SAVEPOINT s" || text == "RELEASE s" {
					at(b, "SELECT 1")
				}
				at(a, text)
			}
			must(t, readAll(ctx, b, "SELECT set_config('search_path', 'a', true)"))
			at(b, "SELECT 1")
			inner, err := a.Tx(ctx)
			must(t, err)
			must(t, inner.Commit())
			if _, err := a.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err == nil {
				t.Error("a part of a transaction became read only")
			}
			must(t, tx.Rollback())
		})
	}
}

// TestContextEndsTransactions holds that whoever forgets a transaction, or its rows, gives its connection
// back when its context ends.
func TestContextEndsTransactions(t *testing.T) {
	t.Parallel()
	db, pool := open(t, database(t, schema), entpgx.Options{}, one)
	drv := db.Driver(scope(schema))
	for range 20 {
		for _, leave := range []func(tx dialect.Tx){
			func(dialect.Tx) {},
			func(tx dialect.Tx) { must(t, tx.Exec(context.Background(), "SELECT 1", []any{}, nil)) },
			func(tx dialect.Tx) {
				must(t, tx.Query(context.Background(), "SELECT generate_series(1, 9)", []any{}, &entsql.Rows{}))
			},
		} {
			ctx, stop := context.WithCancel(t.Context())
			tx, err := drv.Tx(ctx)
			must(t, err)
			leave(tx)
			stop()
			limited, done := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := client(drv).Student.Query().Count(limited); err != nil {
				t.Errorf("the connection did not come back: %v", err)
			}
			done()
			if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) || !errors.Is(err, context.Canceled) {
				t.Errorf("committing what was left: %v", err)
			}
		}
	}
	for range 200 { // ends while it begins
		ctx, stop := context.WithCancel(t.Context())
		go stop()
		if tx, err := drv.Tx(ctx); err == nil {
			_ = tx.Exec(ctx, "SELECT 1", []any{}, nil)
		}
		_ = drv.Query(ctx, "SELECT generate_series(1, 9)", []any{}, &entsql.Rows{})
	}
	if pool.Stat().TotalConns() > 1 {
		t.Error("more than one connection")
	}
}

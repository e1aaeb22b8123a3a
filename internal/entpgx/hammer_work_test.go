package entpgx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
)

var errOwn = errors.New("the transaction's own")

// work is one operation in one school, in a context that may end at any moment.
func (h *hammer) work(random *rand.Rand) {
	at := random.IntN(len(h.schools))
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	if random.IntN(8) == 0 {
		h.faults.Add(1)
		var early context.CancelFunc
		ctx, early = context.WithTimeout(ctx, time.Duration(random.IntN(6000))*time.Microsecond)
		defer early()
	}
	works := []func(context.Context, int, *rand.Rand){
		h.point, h.point, h.list, h.list, h.write, h.upsert, h.transaction, h.transaction, h.panics, h.leave, h.savepoint,
		h.two, h.sleep, h.abandon, h.midway, h.strike, h.configure, h.stray, h.alter,
	}
	works[random.IntN(len(works))](ctx, at, random)
}

func names(found []*tenantdb.Student) (named []string) {
	for _, s := range found {
		named = append(named, s.FirstName)
	}
	return named
}

func (h *hammer) point(ctx context.Context, at int, random *rand.Rand) {
	found, err := h.clients[at].Student.Query().Where(student.AdmissionNumber(fmt.Sprint(1 + random.IntN(rowsEach)))).All(ctx)
	h.check(at, "a point read", names(found)...)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d rows", len(found))
	}
	h.fails("a point read", err)
}

func (h *hammer) list(ctx context.Context, at int, random *rand.Rand) {
	found, err := h.clients[at].Student.Query().Limit(1 + random.IntN(40)).All(ctx)
	h.check(at, "a list", names(found)...)
	h.fails("a list", err)
}

// new is a student that names its school, whose number may be taken.
func (h *hammer) new(db *tenantdb.Client, at int, random *rand.Rand) *tenantdb.StudentCreate {
	return db.Student.Create().SetFirstName(h.schools[at]).SetLastName("new").SetAdmissionNumber(fmt.Sprint("new-", random.IntN(50)))
}

func (h *hammer) write(ctx context.Context, at int, random *rand.Rand) {
	db := h.clients[at]
	h.fails("an insert", h.new(db, at, random).Exec(ctx))
	_, err := db.Student.Update().Where(student.LastName("new"), student.FirstNameNEQ(h.schools[at])).SetLastName("LEAK").Save(ctx)
	h.fails("an update", err)
	_, err = db.Student.Delete().Where(student.AdmissionNumber(fmt.Sprint("new-", random.IntN(50)))).Exec(ctx)
	h.fails("a deletion", err)
}

func (h *hammer) upsert(ctx context.Context, at int, random *rand.Rand) {
	db := h.clients[at]
	err := db.Student.CreateBulk(h.new(db, at, random)).OnConflictColumns(student.FieldAdmissionNumber).UpdateFirstName().Exec(ctx)
	h.fails("an upsert", err)
}

// within is a transaction in a school, whatever its end. Reads in it see its own school alone.
func (h *hammer) within(ctx context.Context, at int, random *rand.Rand, do func(*tenantdb.Tx) error) (err error) {
	tx, err := h.clients[at].Tx(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if recover() != nil || err != nil || random.IntN(4) == 0 {
			_ = tx.Rollback()
			return
		}
		err = tx.Commit()
	}()
	for range 1 + random.IntN(3) {
		found, err := tx.Student.Query().Limit(10).All(ctx)
		h.check(at, "a list in a transaction", names(found)...)
		if err != nil {
			return err
		}
	}
	return do(tx)
}

func (h *hammer) transaction(ctx context.Context, at int, random *rand.Rand) {
	h.fails("a transaction", h.within(ctx, at, random, func(tx *tenantdb.Tx) error {
		if err := h.new(tx.Client(), at, random).OnConflictColumns(student.FieldAdmissionNumber).UpdateFirstName().Exec(ctx); err != nil {
			return err
		}
		found, err := tx.Student.Query().ForUpdate(entsql.WithLockAction(entsql.SkipLocked)).Limit(5).All(ctx)
		h.check(at, "a locking list", names(found)...)
		return err
	}))
}

func (h *hammer) panics(ctx context.Context, at int, random *rand.Rand) {
	h.faults.Add(1)
	h.fails("a panic", h.within(ctx, at, random, func(*tenantdb.Tx) error { panic("in the middle") }))
}

// leave begins a transaction and goes; its context ends it.
func (h *hammer) leave(ctx context.Context, at int, random *rand.Rand) {
	h.faults.Add(1)
	ctx, stop := context.WithCancel(ctx)
	time.AfterFunc(time.Duration(random.IntN(4000))*time.Microsecond, stop)
	tx, err := h.clients[at].Tx(ctx)
	if err != nil {
		h.fails("beginning", err)
		return
	}
	found, err := tx.Student.Query().Limit(10).All(context.WithoutCancel(ctx))
	h.check(at, "a transaction that is left", names(found)...)
	h.fails("a transaction that is left", err)
}

func (h *hammer) savepoint(ctx context.Context, at int, random *rand.Rand) {
	other := scope(h.schools[random.IntN(len(h.schools))])
	tx, err := h.db.Begin(ctx, nil)
	if err != nil {
		h.fails("beginning", err)
		return
	}
	defer func() { _ = tx.Rollback() }()
	ours := client(tx.In(scope(h.schools[at])))
	steps := []string{"SAVEPOINT s", "SELECT 1/0", "ROLLBACK TO SAVEPOINT s", "/* again */ rollback to s"}
	if random.IntN(2) == 0 {
		if _, err := client(tx.In(other)).Student.Query().Count(ctx); err != nil { // the savepoint is in another school
			h.fails("before a savepoint", err)
			return
		}
	}
	for i, step := range steps {
		db := ours
		if i == 0 && random.IntN(2) == 0 {
			db = client(tx.In(other))
		}
		if _, err := db.ExecContext(ctx, step); err != nil && step != "SELECT 1/0" {
			h.fails(step, err)
			return
		}
	}
	found, err := ours.Student.Query().Limit(5).All(ctx)
	h.check(at, "behind a savepoint", names(found)...)
	h.fails("behind a savepoint", err)
}

// two is a transaction in two schools by turns.
func (h *hammer) two(ctx context.Context, at int, random *rand.Rand) {
	tx, err := h.db.Begin(ctx, nil)
	if err != nil {
		h.fails("beginning", err)
		return
	}
	for range 4 {
		found, err := client(tx.In(scope(h.schools[at]))).Student.Query().Limit(3).All(ctx)
		h.check(at, "by turns", names(found)...)
		if h.fails("by turns", err); err != nil {
			break
		}
		at = random.IntN(len(h.schools))
	}
	_ = tx.Rollback()
}

func (h *hammer) sleep(ctx context.Context, at int, random *rand.Rand) {
	h.faults.Add(1)
	ctx, stop := context.WithTimeout(ctx, time.Duration(random.IntN(4000))*time.Microsecond)
	defer stop()
	_, err := h.clients[at].ExecContext(ctx, "SELECT pg_sleep(0.002)")
	h.fails("a time-out", err)
}

// abandon reads a row and goes; the context ends later.
func (h *hammer) abandon(ctx context.Context, at int, random *rand.Rand) {
	h.faults.Add(1)
	ctx, stop := context.WithCancel(ctx)
	defer time.AfterFunc(time.Duration(random.IntN(4000))*time.Microsecond, stop)
	rows, name := &entsql.Rows{}, ""
	var on dialect.ExecQuerier = h.db.Driver(scope(h.schools[at]))
	if random.IntN(2) == 0 {
		tx, err := h.db.Begin(ctx, nil)
		if err != nil {
			h.fails("beginning", err)
			return
		}
		on = tx.In(scope(h.schools[at]))
	}
	err := on.Query(ctx, "SELECT first_name FROM students", []any{}, rows)
	if err == nil && rows.Next() {
		if err = rows.Scan(&name); err == nil {
			h.check(at, "abandoned rows", name)
		}
	}
	h.fails("abandoned rows", err)
}

func (h *hammer) midway(ctx context.Context, at int, _ *rand.Rand) {
	h.faults.Add(1)
	rows, err := h.clients[at].QueryContext(ctx, "SELECT first_name, 1/(50-row_number() OVER ()) FROM students")
	if err != nil {
		h.fails("midway", err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err == nil {
			h.check(at, "midway", name)
		}
	}
	if h.fails("midway", rows.Err()); rows.Err() == nil {
		h.fails("midway", errors.New("no error came"))
	}
}

// strike cancels or, less often, ends whatever another connection is doing.
func (h *hammer) strike(_ context.Context, _ int, random *rand.Rand) {
	h.faults.Add(1)
	weapon := "pg_cancel_backend"
	if random.IntN(10) == 0 {
		weapon = "pg_terminate_backend"
	}
	_, err := h.admin.Exec(context.Background(), "SELECT "+weapon+"(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' ORDER BY random() LIMIT 2")
	h.fails("a strike", err)
}

// configure is SQL of ours that sets another scope itself, for the transaction or for the session.
func (h *hammer) configure(ctx context.Context, at int, random *rand.Rand) {
	h.faults.Add(1)
	other := h.schools[random.IntN(len(h.schools))]
	h.fails("a scope set by hand", h.within(ctx, at, random, func(tx *tenantdb.Tx) error {
		var err error
		if random.IntN(2) == 0 {
			_, err = tx.ExecContext(ctx, "SELECT set_config('search_path', $1, true)", other)
		} else {
			_, err = tx.ExecContext(ctx, "SET LOCAL search_path = "+other)
		}
		if err != nil {
			return err
		}
		found, err := tx.Student.Query().Limit(3).All(ctx)
		h.check(at, "behind a scope set by hand", names(found)...)
		return err
	}))
}

// stray is a query that forgot its school: it must find no table.
func (h *hammer) stray(ctx context.Context, at int, _ *rand.Rand) {
	var pg *pgconn.PgError
	var n int
	err := h.pool.QueryRow(ctx, "SELECT count(*) FROM students", pgx.QueryExecModeSimpleProtocol).Scan(&n)
	if err == nil {
		h.leaks.Add(1)
		h.note("LEAK: a query that forgot its school found one")
	} else if !errors.As(err, &pg) || pg.Code != "42P01" {
		h.fails("a query that forgot its school", err)
	}
}

// alter is a migration under way: a column becomes another type, and back.
func (h *hammer) alter(_ context.Context, at int, random *rand.Rand) {
	if random.IntN(10) > 0 {
		return
	}
	h.faults.Add(1)
	kind := []string{"varchar(40)", "text"}[random.IntN(2)]
	_, err := h.admin.Exec(context.Background(), fmt.Sprintf(`SET lock_timeout = '50ms'; ALTER TABLE %[1]s.students ALTER race TYPE %[2]s, ALTER postal_code TYPE %[2]s;
		ALTER TABLE %[1]s.students ADD IF NOT EXISTS more int DEFAULT 1; ALTER TABLE %[1]s.students DROP more`, h.schools[at], kind))
	h.fails("a migration", err)
}

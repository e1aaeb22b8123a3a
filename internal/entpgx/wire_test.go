package entpgx_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/entpgx"
)

// wire counts how often the talk on its connections turns: each time somebody writes again after an
// answer is one round trip.
type wire struct{ turns atomic.Int64 }

func (w *wire) dial(config *pgxpool.Config) {
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &counted{Conn: conn, wire: w}, err
	}
}

type counted struct {
	net.Conn
	wire    *wire
	writing atomic.Bool
}

// Write counts the first write after a read.
func (c *counted) Write(b []byte) (int, error) {
	if !c.writing.Swap(true) {
		c.wire.turns.Add(1)
	}
	return c.Conn.Write(b)
}

// Read ends a turn.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.writing.Store(false)
	return n, err
}

// TestRoundTrips holds what each operation costs on the wire.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	url := database(t, schema, "school_b")
	var w wire
	db, _ := open(t, url, entpgx.Options{}, one, w.dial)
	ctx, ours, other := t.Context(), client(db.Driver(scope(schema))), client(db.Driver(scope("school_b")))
	read := func(db *tenantdb.Client) func() {
		return func() { db.Student.Query().Where(student.AdmissionNumber("1")).AllX(ctx) }
	}
	three := func() {
		tx, err := ours.Tx(ctx)
		must(t, err)
		for range 3 {
			read(tx.Client())()
		}
		must(t, tx.Commit())
	}
	insert := func() { add(ours, uuid.NewString()).ExecX(ctx) }
	for _, step := range []struct {
		name string
		most int64
		do   func()
	}{
		{"a first read, with connecting, the session's statements and the shape", 5, read(ours)},
		{"a read", 1, read(ours)},
		{"a read in another school", 1, read(other)},
		{"a first insert", 2, insert},
		{"an insert", 1, insert},
		{"a first insert in another school", 1, func() { add(other, "1").ExecX(ctx) }},
		{"a transaction of three", 4, three},
		{"a transaction of three again", 4, three},
		{"a transaction of nothing", 0, func() {
			tx, err := ours.Tx(ctx)
			must(t, err)
			must(t, tx.Commit())
		}},
		{"what the server refuses", 1, func() { _ = add(ours, "1").Exec(ctx); w.turns.Store(0); _ = add(ours, "1").Exec(ctx) }},
	} {
		w.turns.Store(0)
		step.do()
		if got := w.turns.Load(); got > step.most {
			t.Errorf("%s: %d round trips, at most %d wanted", step.name, got, step.most)
		}
	}
}

// pointRead returns a read of one term by id, through ent.
func pointRead(tb testing.TB, drv dialect.Driver) func() {
	tb.Helper()
	ctx, db, day := context.Background(), client(drv), time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)
	year := db.AcademicYear.Create().SetName("2024").SetStartsOn(day).SetEndsOn(day.AddDate(1, 0, -1)).SaveX(ctx)
	id := db.Term.Create().SetAcademicYear(year).SetName("1").SetStartsOn(day).SetEndsOn(day.AddDate(0, 3, 0)).SaveX(ctx).ID
	return func() { db.Term.GetX(ctx, id) }
}

// TestAllocations is not parallel: it counts those of the whole process. ent's own grow with the columns
// (a student has twenty and takes about 190 altogether); the driver's don't.
func TestAllocations(t *testing.T) {
	db, _ := open(t, database(t, schema), entpgx.Options{}, one)
	drv, ctx := db.Driver(scope(schema)), context.Background()
	for name, limit := range map[string]struct {
		most float64
		do   func()
	}{
		"a point read through ent": {150, pointRead(t, drv)},
		"the driver alone": {35, func() {
			rows, id := &entsql.Rows{}, uuid.UUID{}
			must(t, drv.Query(ctx, "SELECT id FROM terms WHERE name = $1", []any{"1"}, rows))
			if !rows.Next() || rows.Scan(&id) != nil || rows.Close() != nil {
				t.Error("no term")
			}
		}},
	} {
		limit.do()
		got := testing.AllocsPerRun(200, limit.do)
		if t.Logf("%s: %v allocations", name, got); got > limit.most {
			t.Errorf("%s: %v allocations, at most %v wanted", name, got, limit.most)
		}
	}
}

func BenchmarkPointRead(b *testing.B) {
	db, _ := open(b, database(b, schema), entpgx.Options{}, one)
	read := pointRead(b, db.Driver(scope(schema)))
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/atlas"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	schools "github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// students is how many each school has.
const students = 50

// school is a school as the measured processes know it.
type school struct {
	Number int
	ID     uuid.UUID
	Schema string
	Host   string
}

// studentID is the id of the nth student of a school.
func (s school) studentID(n int) (id uuid.UUID) {
	binary.BigEndian.PutUint32(id[8:], uint32(s.Number))
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	id[6], id[8] = 0x70, 0x80 // a version 7, variant 1: the API takes no others
	return id
}

// userID is the id of the admin of a school who reads its students.
func (s school) userID() uuid.UUID { return s.studentID(students) }

// database is the PostgreSQL that is measured, with its schools.
type database struct {
	url        string
	schools    []school
	key        string // an API key of the platform
	conn       *pgx.Conn
	postmaster int
	version    string
	close      func()
}

// openFleet starts a PostgreSQL and makes the schools that it lacks. Where requests are
// measured it is Volatile: waiting for the disk costs no CPU. A migration is a commit a school, and what that
// costs belongs to it.
func openFleet(ctx context.Context, s settings, progress io.Writer) (db *database, err error) {
	db = &database{}
	var undo []func()
	db.close = func() {
		for i := range undo {
			undo[len(undo)-1-i]()
		}
	}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	dir := s.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "homeroom-bench-"); err != nil {
			return nil, err
		}
		undo = append(undo, func() { _ = os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the account that runs PostgreSQL passes through
			return nil, err
		}
	}
	server, err := embedded.Start(ctx, embedded.Options{Dir: filepath.Join(dir, "postgres"), Volatile: !s.durable})
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = server.Close() })
	db.url = server.URL("postgres")
	if db.conn, err = pgx.Connect(ctx, db.url); err != nil {
		return nil, err
	}
	undo = append(undo, func() { db.conn.Close(context.WithoutCancel(ctx)) })
	return db, errors.Join(db.prepare(ctx), db.fill(ctx, s.sizes[len(s.sizes)-1], progress))
}

// prepare stops what would work beside what is measured, and finds the server's first process.
func (db *database) prepare(ctx context.Context) error {
	for _, statement := range []string{"ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"} {
		if _, err := db.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	var backend int
	if err := db.conn.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_version')").Scan(&backend, &db.version); err != nil {
		return err
	}
	stat, err := statOf(backend)
	db.postmaster = stat.parent
	return err
}

// fill makes the schools up to the given number, as the platform makes them.
func (db *database) fill(ctx context.Context, number int, progress io.Writer) error {
	public, err := fleet.Load(atlas.Public())
	if err != nil {
		return err
	}
	tenant, err := fleet.Load(atlas.Tenant())
	if err != nil {
		return err
	}
	if _, err := public.Apply(ctx, db.conn, "public"); err != nil {
		return err
	}
	const atOnce = 2
	pools, err := postgres.NewPools(db.url, atOnce)
	if err != nil {
		return err
	}
	defer pools.Close()
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	defer func() { _ = registry.Close() }()
	p := platform.New(registry, tenant, platform.Settings{BaseDomain: "bench.test", TenantRoles: true}, time.Now)
	if _, db.key, err = p.CreateKey(ctx, platform.Shell, platform.NewKey{Name: "bench", Role: auth.RoleViewer}); err != nil {
		return err
	}
	db.schools = make([]school, number)
	_, _ = fmt.Fprintf(progress, "making %d schools ...\n", number)
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(atOnce)
	for i := range number {
		making.Go(func() (err error) {
			db.schools[i], err = makeSchool(ctx, p, registry, i)
			return err
		})
	}
	return making.Wait()
}

// makeSchool makes a school unless the run before has.
func makeSchool(ctx context.Context, p *platform.Platform, registry *tenancy.Registry, number int) (school, error) {
	s := school{Number: number}
	code := fmt.Sprintf("s%05d", number)
	row, err := registry.Public().School.Query().Where(schools.Code(code)).Only(ctx)
	if publicdb.IsNotFound(err) {
		row, err = p.Create(ctx, platform.Shell, platform.NewSchool{Name: "School " + code, Code: code, Fill: func(tx *tenancy.Tx, row *publicdb.School) error {
			db := tx.Schema(row.SchemaName)
			if err := db.Student.CreateBulk(newStudents(db, s)...).Exec(ctx); err != nil {
				return err
			}
			if err := db.User.Create().SetID(s.userID()).SetEmail("grace.okafor@example.org").SetFullName("Grace Okafor").SetRole(auth.RoleAdmin).Exec(ctx); err != nil {
				return err
			}
			_, err := db.ExecContext(ctx, "ANALYZE students, users")
			return err
		}})
	}
	if err != nil {
		return s, fmt.Errorf("making school %s: %w", code, err)
	}
	s.ID, s.Schema, s.Host = row.ID, row.SchemaName, code+".bench.test"
	return s, nil
}

func newStudents(db *tenantdb.Client, s school) []*tenantdb.StudentCreate {
	rows := make([]*tenantdb.StudentCreate, students)
	for i := range rows {
		rows[i] = db.Student.Create().SetID(s.studentID(i)).SetAdmissionNumber(fmt.Sprintf("2026-%04d", i)).
			SetFirstName("Amina").SetMiddleName("Wanjiru").SetLastName(fmt.Sprintf("Okafor-%02d", i)).
			SetDateOfBirth(time.Date(2014, 3, 1+i%28, 0, 0, 0, 0, time.UTC)).SetGender("female").SetGradeLevel("7").
			SetEmail(fmt.Sprintf("amina.okafor-%d@example.org", i)).SetPhone("+254 712 345678").SetIsHispanic(false)
	}
	return rows
}

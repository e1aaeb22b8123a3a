package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// pageSize is how long the measured lists are.
const pageSize = 20

// shown are the columns that the API shows of a student, in the order in which showStudent reads them.
const shown = `id, admission_number, first_name, middle_name, last_name, date_of_birth, gender, grade_level, status, email, phone, created_at, updated_at`

// statements is a school's SQL, each table with its schema.
type statements struct {
	get, list, insert, update string
	show, page                string // the columns that the API shows
}

func statementsOf(schema string) statements {
	t := func(table string) string { return pgx.Identifier{schema, table}.Sanitize() }
	all := strings.Join(student.Columns, ", ")
	return statements{
		get:    fmt.Sprintf("SELECT %s FROM %s WHERE id = $1", all, t("students")),
		list:   fmt.Sprintf("SELECT %s FROM %s ORDER BY last_name, id LIMIT %d", all, t("students"), pageSize),
		insert: fmt.Sprintf("INSERT INTO %s (id, created_at, updated_at, full_name, phone) VALUES ($1, $2, $3, $4, $5)", t("guardians")),
		update: fmt.Sprintf("UPDATE %s SET updated_at = $1, phone = $2 WHERE id = $3", t("students")),
		show:   fmt.Sprintf("SELECT %s FROM %s WHERE id = $1", shown, t("students")),
		page:   fmt.Sprintf("SELECT %s FROM %s ORDER BY last_name, id LIMIT %d", shown, t("students"), pageSize+1),
	}
}

// floor does the work with nothing between it and pgx.
type floor struct {
	pool   *pgxpool.Pool
	sql    []statements
	byHost map[string]int
}

func newFloor(ctx context.Context, url, name string, schools []school) (side, error) {
	var t turns
	pool, err := openPool(ctx, url, name, &t)
	if err != nil {
		return side{}, err
	}
	f := &floor{pool: pool, byHost: map[string]int{}}
	for _, s := range schools {
		f.sql = append(f.sql, statementsOf(s.Schema))
		f.byHost[s.Host] = s.Number
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/students/{id}/", f.serveOne)
	mux.HandleFunc("GET /api/v1/students/{$}", f.servePage)
	mux.HandleFunc("GET /api/v1/system/schools/{id}/", f.serveSchool)
	return side{operations: map[string]operation{
		read: f.read, list: f.list, insert: f.insert, transaction: f.transaction,
	}, serve: func(_ context.Context, l net.Listener) error {
		return (&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
	}, trips: t.n.Load}, nil
}

// querier is a pool, or a transaction on one of its connections.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func getStudent(ctx context.Context, from querier, sql string, id uuid.UUID) (*tenantdb.Student, error) {
	s := new(tenantdb.Student)
	return s, scanStudent(from.QueryRow(ctx, sql, id), s)
}

// scanStudent reads the columns in the order of student.Columns.
func scanStudent(row pgx.Row, s *tenantdb.Student) error {
	return row.Scan(&s.ID, &s.CreatedAt, &s.UpdatedAt, &s.SourceID, &s.AdmissionNumber, &s.FirstName, &s.MiddleName, &s.LastName,
		&s.DateOfBirth, &s.Gender, &s.GradeLevel, &s.Status, &s.Email, &s.Phone, &s.Username, &s.StateID, &s.PostalCode, &s.Race,
		&s.IsHispanic, &s.IsEnglishLearner)
}

func (f *floor) read(ctx context.Context, s school, n int) error {
	_, err := getStudent(ctx, f.pool, f.sql[s.Number].get, s.studentID(n))
	return err
}

func (f *floor) list(ctx context.Context, s school, _ int) error {
	rows, err := f.pool.Query(ctx, f.sql[s.Number].list)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*tenantdb.Student, error) {
		s := new(tenantdb.Student)
		return s, scanStudent(row, s)
	})
	return count(len(found), err)
}

// count makes sure that a list is what was asked for.
func count(found int, err error) error {
	if err == nil && found != pageSize {
		return fmt.Errorf("%d students, not %d", found, pageSize)
	}
	return err
}

func (f *floor) insert(ctx context.Context, s school, _ int) error {
	now := time.Now()
	_, err := f.pool.Exec(ctx, f.sql[s.Number].insert, uuid.Must(uuid.NewV7()), now, now, "Amina Okafor", "+254 712 345678")
	return err
}

func (f *floor) transaction(ctx context.Context, s school, n int) error {
	sql, now := f.sql[s.Number], time.Now()
	return pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		found, err := getStudent(ctx, tx, sql.get, s.studentID(n))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sql.insert, uuid.Must(uuid.NewV7()), now, now, found.LastName, "+254 712 345678"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sql.update, now, "+254 712 345678", found.ID)
		return err
	})
}

func (f *floor) serveOne(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	found, err := showStudent(f.pool.QueryRow(r.Context(), f.sql[f.byHost[r.Host]].show, id))
	respond(w, found, err)
}

func (f *floor) servePage(w http.ResponseWriter, r *http.Request) {
	rows, err := f.pool.Query(r.Context(), f.sql[f.byHost[r.Host]].page)
	if err != nil {
		respond(w, nil, err)
		return
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (tenantapi.Student, error) { return showStudent(row) })
	page := wire.Page[tenantapi.Student]{Items: found}
	if len(found) > pageSize {
		next := found[pageSize-1].ID.String()
		page = wire.Page[tenantapi.Student]{Items: found[:pageSize], NextCursor: &next}
	}
	respond(w, page, err)
}

func showStudent(row pgx.Row) (s tenantapi.Student, err error) {
	var born *time.Time
	err = row.Scan(&s.ID, &s.AdmissionNumber, &s.FirstName, &s.MiddleName, &s.LastName, &born, &s.Gender, &s.GradeLevel, &s.Status,
		&s.Email, &s.Phone, &s.CreatedAt, &s.UpdatedAt)
	s.DateOfBirth = wire.DateOf(born)
	return s, err
}

// schoolWithDomains gives a row for each domain, or one without.
const schoolWithDomains = `SELECT c.id, c.name, c.code, c.schema_name, c.isolation, c.database, c.setup_progress, c.is_active, c.state, c.schema_version,
	c.created_at, c.updated_at, d.id, d.domain, d.is_primary
	FROM public.clients c LEFT JOIN public.domains d ON d.tenant_id = c.id WHERE c.id = $1 ORDER BY d.id`

func (f *floor) serveSchool(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	rows, err := f.pool.Query(r.Context(), schoolWithDomains, id)
	if err != nil {
		respond(w, nil, err)
		return
	}
	s := systemapi.School{Domains: []systemapi.SchoolDomain{}}
	var domain struct {
		id        *uuid.UUID
		domain    *string
		isPrimary *bool
	}
	_, err = pgx.ForEachRow(rows, []any{
		&s.ID, &s.Name, &s.Code, &s.SchemaName, &s.Isolation, &s.Database, &s.SetupProgress, &s.IsActive, &s.State, &s.SchemaVersion,
		&s.CreatedAt, &s.UpdatedAt, &domain.id, &domain.domain, &domain.isPrimary,
	}, func() error {
		if domain.id != nil {
			s.Domains = append(s.Domains, systemapi.SchoolDomain{ID: *domain.id, Domain: *domain.domain, IsPrimary: *domain.isPrimary})
		}
		return nil
	})
	respond(w, s, err)
}

func respond(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

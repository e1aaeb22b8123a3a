package tenancy

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// schoolByID gives a row for each domain of the school $1, or one without.
var schoolByID = "SELECT c." + strings.Join(school.Columns, ", c.") + ", d.id, d.domain, d.is_primary" +
	" FROM clients c LEFT JOIN domains d ON d.tenant_id = c.id WHERE c.id = $1 ORDER BY d.id"

// School returns a school with its domains, of which id, domain and is_primary are read. It is read by hand,
// because ent takes two round trips and much more CPU for what is asked for most. The row knows no client.
func (r *Registry) School(ctx context.Context, id uuid.UUID) (*publicdb.School, error) {
	var rows entsql.Rows
	if err := r.db.Driver(scope(publicSchema)).Query(ctx, schoolByID, []any{id}, &rows); err != nil {
		return nil, fmt.Errorf("reading a school: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed
	var found *publicdb.School
	for rows.Next() {
		next, err := scanSchool(rows)
		if err != nil {
			return nil, err
		}
		if found == nil {
			found = next
		} else {
			found.Edges.Domains = append(found.Edges.Domains, next.Edges.Domains...)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fault.New(fault.NotFound, "There is no such school.")
	}
	return found, nil
}

// scanSchool reads a row of schoolByID, by way of the types that the driver is quick with.
func scanSchool(row entsql.Rows) (*publicdb.School, error) {
	var s publicdb.School
	var d publicdb.Domain
	var name, code, schema, progress, state, isolation, database, version, failure, role, host sql.NullString
	var created, updated, migrated, deleted sql.NullTime
	var active, primary sql.NullBool
	var took sql.NullInt64
	// In the order of school.Columns.
	if err := row.Scan(&s.ID, &created, &updated, &name, &code, &schema, &progress, &active, &state, &isolation, &database, &version,
		&migrated, &took, &failure, &role, &deleted, &d.ID, &host, &primary); err != nil {
		return nil, err
	}
	s.CreatedAt, s.UpdatedAt = created.Time, updated.Time
	s.Name, s.Code, s.SchemaName, s.Database, s.SchemaVersion = name.String, code.String, schema.String, database.String, version.String
	s.SetupProgress, s.State, s.Isolation = school.SetupProgress(progress.String), school.State(state.String), school.Isolation(isolation.String)
	s.IsActive, s.MigrationMs, s.MigrationError, s.RoleName = active.Bool, took.Int64, failure.String, role.String
	s.MigratedAt, s.DeletedAt = pointer(migrated), pointer(deleted)
	if host.Valid {
		d.Domain, d.IsPrimary, d.TenantID = host.String, primary.Bool, s.ID
		s.Edges.Domains = []*publicdb.Domain{&d}
	}
	return &s, nil
}

func pointer(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	return &t.Time
}

package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Target is a school's schema as the migrations of the fleet meet it.
type Target struct {
	School   string   `json:"school"` // its code
	Database string   `json:"database"`
	Schema   string   `json:"schema"`
	Role     string   `json:"-"` // the PostgreSQL role of the school, "" for none
	Recorded Recorded `json:"-"`

	at  postgres.Registration
	own string // the database made for the school alone, "" for none
}

// Recorded is what public.clients says of a school's migrations: a cache of what its schema says.
type Recorded struct {
	Version string
	At      *time.Time    // of the last change, or failure; nil where the schema is as it was created
	Took    time.Duration // that change
	Error   string        // why it failed, "" if it did not
}

// Targets returns the schemas of the schools with the given codes, or of all, by database and code. A
// school that is being made has no schema yet, one that is being purged perhaps no more. Before the public schema has its tables there are no
// schools, and before it has that of databases all are in primary. conn is to primary.
func Targets(ctx context.Context, conn *pgx.Conn, codes []string) ([]Target, error) {
	var clients, databases, outcomes bool
	err := conn.QueryRow(ctx, `SELECT to_regclass('public.clients') IS NOT NULL, to_regclass('public.databases') IS NOT NULL,
		EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('public.clients') AND attname = 'migration_error')`).Scan(&clients, &databases, &outcomes)
	if err != nil || !clients {
		return nil, err
	}
	join, recorded := "public.databases", "c.migrated_at, c.migration_ms, c.migration_error"
	if !databases {
		join = "(SELECT '' AS name, '' AS url, '' AS password_ref, '' AS kind)"
	}
	if !outcomes {
		recorded = "NULL::timestamptz, 0::bigint, ''"
	}
	rows, err := conn.Query(ctx, `SELECT c.code, c.schema_name, c.role_name, c.schema_version, `+recorded+`, c.database, CASE WHEN c.isolation = 'database' THEN c.schema_name ELSE '' END,
		coalesce(d.url, ''), coalesce(d.password_ref, ''), coalesce(d.kind = 'dedicated', false) FROM public.clients c LEFT JOIN `+join+` d ON d.name = c.database
		WHERE c.state NOT IN ('provisioning', 'failed') AND (cardinality($1::text[]) = 0 OR c.code = ANY ($1))
		ORDER BY c.database <> 'primary', c.database, 9, c.code`, append([]string{}, codes...))
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Target, err error) {
		var milliseconds int64
		err = row.Scan(&t.School, &t.Schema, &t.Role, &t.Recorded.Version, &t.Recorded.At, &milliseconds, &t.Recorded.Error, &t.Database, &t.own, &t.at.URL, &t.at.PasswordRef, &t.at.Dedicated)
		t.Recorded.Took = time.Duration(milliseconds) * time.Millisecond
		return t, err
	})
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		if !slices.ContainsFunc(found, func(t Target) bool { return t.School == code }) {
			err = errors.Join(err, fmt.Errorf("there is no school %q", code))
		}
	}
	return found, err
}

// Place names the target's very database: the registered one, or "name/own" for a school that is alone
// in one.
func (t Target) Place() string {
	if t.own == "" {
		return t.Database
	}
	return t.Database + "/" + t.own
}

// Address is the URL of the target's database, past any pooler, given that of primary. It holds the password.
func (t Target) Address(primary string) (string, error) {
	switch {
	case t.Database == postgres.Primary:
		return postgres.Setting(primary).Address(t.own)
	case t.at.URL == "":
		return "", fmt.Errorf("the database %s is not registered", t.Database)
	}
	return t.at.Direct().Address(t.own)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// target is one schema, the database that it is in, and the migrations that it follows.
type target struct {
	School   string           `json:"school"` // its code, "" for the public schema
	Database string           `json:"database"`
	Schema   string           `json:"schema"`
	dir      *fleet.Directory // never nil
	at       postgres.Registration
	own      string // the database made for the school alone, "" for none
}

// targets are the schemas to look at: the public one first, then the schools by database and code.
// Before the public schema has its tables there are no schools, and before it has that of databases
// all are in primary. A school that is being made has no schema yet.
func (s selection) targets(ctx context.Context, conn *pgx.Conn, dirs directories) ([]target, error) {
	var found []target
	if s.Only != "tenant" && len(s.School) == 0 {
		found = append(found, target{Database: postgres.Primary, Schema: publicSchema, dir: dirs.public})
	}
	if s.Only == "public" {
		return found, nil
	}
	var schools, databases bool
	err := conn.QueryRow(ctx, "SELECT to_regclass('public.clients') IS NOT NULL, to_regclass('public.databases') IS NOT NULL").Scan(&schools, &databases)
	if err != nil || !schools {
		return found, err
	}
	join := "public.databases"
	if !databases {
		join = "(SELECT '' AS name, '' AS url, '' AS password_ref, '' AS kind)"
	}
	rows, err := conn.Query(ctx, `SELECT c.code, c.schema_name, c.database, CASE WHEN c.isolation = 'database' THEN c.schema_name ELSE '' END,
		coalesce(d.url, ''), coalesce(d.password_ref, ''), coalesce(d.kind = 'dedicated', false) FROM public.clients c LEFT JOIN `+join+` d ON d.name = c.database
		WHERE c.state <> 'provisioning' AND (cardinality($1::text[]) = 0 OR c.code = ANY ($1))
		ORDER BY c.database <> 'primary', c.database, 4, c.code`, append([]string{}, s.School...))
	if err != nil {
		return nil, err
	}
	missing := slices.Clone(s.School)
	t := target{dir: dirs.tenant}
	_, err = pgx.ForEachRow(rows, []any{&t.School, &t.Schema, &t.Database, &t.own, &t.at.URL, &t.at.PasswordRef, &t.at.Dedicated}, func() error {
		found = append(found, t)
		missing = slices.DeleteFunc(missing, func(code string) bool { return code == t.School })
		return nil
	})
	for _, code := range missing {
		err = errors.Join(err, fmt.Errorf("there is no school %q", code))
	}
	return found, err
}

// place names the target's very database.
func (t target) place() string {
	if t.own == "" {
		return t.Database
	}
	return t.Database + "/" + t.own
}

// address is the URL of the target's database, past any pooler, given that of primary. It holds the password.
func (t target) address(primary string) (string, error) {
	switch {
	case t.Database == postgres.Primary:
		return postgres.Registration{URL: primary}.Address(t.own)
	case t.at.URL == "":
		return "", fmt.Errorf("the database %s is not registered", t.Database)
	}
	return t.at.Direct().Address(t.own)
}

// onEach calls do for each target with a connection to its database, one a database; conn is that to
// primary. Where a database can't be reached, do is called with the error instead, and the next is
// tried.
func onEach(ctx context.Context, conn *pgx.Conn, targets []target, do func(*pgx.Conn, target, error) error) error {
	for len(targets) > 0 {
		first := targets[0]
		n := slices.IndexFunc(targets, func(t target) bool { return t.place() != first.place() })
		if n < 0 {
			n = len(targets)
		}
		group := targets[:n]
		targets = targets[n:]
		each := func(conn *pgx.Conn, unreachable error) (err error) {
			for _, t := range group {
				if err = errors.Join(err, do(conn, t, unreachable)); ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return err
		}
		if err := onPlace(ctx, conn, first, each); err != nil {
			return err
		}
	}
	return nil
}

// onPlace calls each with a connection to the target's database, or with why there is none.
func onPlace(ctx context.Context, primary *pgx.Conn, t target, each func(*pgx.Conn, error) error) error {
	if t.place() == postgres.Primary {
		return each(primary, nil)
	}
	address, err := t.address(primary.Config().ConnString())
	if err != nil {
		return each(nil, err)
	}
	connect, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := postgres.Connect(connect, address)
	if err != nil {
		return each(nil, postgres.Fault(err))
	}
	err = each(conn, nil)
	return errors.Join(err, closeConn(ctx, conn))
}

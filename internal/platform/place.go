package platform

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// commandTimeout bounds one command on a connection that holds a school's lock.
const commandTimeout = time.Minute

// command runs one command. It does not end with its caller's context: that would cost the
// connection, and with it the lock that it holds.
func command(ctx context.Context, conn *pgx.Conn, sql string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	return postgres.Fault(conn.PgConn().Exec(ctx, sql).Close())
}

// ask is command for one row of values.
func ask(ctx context.Context, conn *pgx.Conn, sql string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	return postgres.Fault(conn.QueryRow(ctx, sql, args...).Scan(into...))
}

// makeDatabase makes the school's own database. Until it bears the school's mark nobody can connect to
// it: so one that a crash left unmarked can be told from a stranger's.
func makeDatabase(ctx context.Context, conn *pgx.Conn, row *publicdb.School) error {
	name := postgres.Ident(row.SchemaName)
	for _, sql := range []string{
		"CREATE DATABASE " + name + " TEMPLATE template0 ALLOW_CONNECTIONS false",
		"COMMENT ON DATABASE " + name + " IS " + postgres.Literal(mark(row.ID)),
		"ALTER DATABASE " + name + " ALLOW_CONNECTIONS true",
	} {
		if err := command(ctx, conn, sql); err != nil {
			return err
		}
	}
	return nil
}

// ownDatabase says whether the server has a database for the school alone that was made for it, and
// whether it can be connected to.
func ownDatabase(ctx context.Context, conn *pgx.Conn, row *publicdb.School) (exists, usable bool, err error) {
	if row.Isolation != school.IsolationDatabase {
		return false, false, nil
	}
	var comment string
	err = ask(ctx, conn, "SELECT coalesce(shobj_description(oid, 'pg_database'), ''), datallowconn FROM pg_database WHERE datname = $1", []any{row.SchemaName}, &comment, &usable)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	ours := comment == mark(row.ID) || comment == "" && !usable
	return ours, ours && usable, err
}

// built returns the revision of a school's schema if it was built whole: the schema comes with all its
// tables, or not at all. conn is to the registered database.
func (p *Platform) built(ctx context.Context, conn *pgx.Conn, row *publicdb.School) (version string, err error) {
	look := func(conn *pgx.Conn) error {
		// The lock itself is of no use: what is built is there once the lock is free.
		if err := command(ctx, conn, "SELECT pg_advisory_xact_lock("+buildLockOf(row.ID)+")"); err != nil {
			return err
		}
		err := ask(ctx, conn, "SELECT nspname FROM pg_namespace WHERE nspname = $1 AND obj_description(oid, 'pg_namespace') = $2", []any{row.SchemaName, mark(row.ID)}, new(string))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		state, err := p.tenant.Status(ctx, conn, row.SchemaName)
		version = state.Version
		return err
	}
	_, usable, err := ownDatabase(ctx, conn, row)
	switch {
	case err != nil:
		return "", err
	case usable:
		err = p.registry.OnConn(ctx, tenancy.DatabaseOf(row), look)
	default:
		err = look(conn)
	}
	return version, err
}

// drop drops what was made for a school: its own database, else its schema. Only what bears the
// school's mark, unless the school is known to have been made. conn is to the registered database. It may
// be repeated.
func (p *Platform) drop(ctx context.Context, conn *pgx.Conn, row *publicdb.School) error {
	exists, _, err := ownDatabase(ctx, conn, row)
	if err != nil {
		return err
	}
	if exists {
		p.registry.Forget(tenancy.DatabaseOf(row))
		if err := command(ctx, conn, "DROP DATABASE IF EXISTS "+postgres.Ident(row.SchemaName)+" WITH (FORCE)"); err != nil {
			return err
		}
		return dropRole(ctx, conn, row)
	}
	var ours bool
	err = ask(ctx, conn, "SELECT obj_description(oid, 'pg_namespace') IS NOT DISTINCT FROM $2 FROM pg_namespace WHERE nspname = $1", []any{row.SchemaName, mark(row.ID)}, &ours)
	if errors.Is(err, pgx.ErrNoRows) && row.Isolation == school.IsolationDatabase {
		return dropRole(ctx, conn, row) // which a crash may have left when the database was gone
	}
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !ours && (row.State == school.StateProvisioning || row.Isolation == school.IsolationDatabase) {
		return nil
	}
	if err != nil {
		return err
	}
	return command(ctx, conn, dropSchemaScript(row))
}

// dropRole drops the role of a school whose own database is gone.
func dropRole(ctx context.Context, conn *pgx.Conn, row *publicdb.School) error {
	if row.RoleName == "" {
		return nil
	}
	return command(ctx, conn, fleet.DropRoleScript(row.RoleName))
}

// Recovery is who finishes what a crash has left.
var Recovery = Actor{Name: "recovery"}

// Recover finishes the creations that a crash has left, or takes them back. Those that a live process
// is working on it leaves alone, so replicas may start at once. The errors are of schools whose
// database can't be reached: they stay as they are, until the next Recover.
func (p *Platform) Recover(ctx context.Context) error {
	rows, err := p.registry.Public().School.Query().Where(school.StateEQ(school.StateProvisioning)).All(ctx)
	for _, row := range rows {
		if failed := p.recover(ctx, row); failed != nil {
			err = errors.Join(err, fault.New(fault.Of(failed).Kind, "The creation of the school %s was cut off and can't be cleared up now.", row.Code).Because(failed))
		}
	}
	return err
}

// unattended runs do with the lock of a claimed school, and a connection to its registered database, if
// nobody is at work on it.
func (p *Platform) unattended(ctx context.Context, row *publicdb.School, do func(*pgx.Conn) error) (free bool, err error) {
	err = p.registry.OnSession(ctx, row.Database, func(conn *pgx.Conn) error {
		// A killed process's server session may take a moment to end.
		for attempt := 0; ; attempt++ {
			if err := ask(ctx, conn, "SELECT pg_try_advisory_lock("+lockOf(row.ID)+")", nil, &free); err != nil {
				return err
			}
			if free {
				return do(conn)
			}
			if attempt == 20 {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	return free, err
}

func (p *Platform) recover(ctx context.Context, row *publicdb.School) error {
	_, err := p.unattended(ctx, row, func(conn *pgx.Conn) error {
		version, err := p.built(ctx, conn, row)
		if err != nil {
			return err
		}
		if version == "" {
			_, err = p.takeBack(ctx, conn, row)
			return err
		}
		err = p.open(ctx, Recovery, row, version)
		if fault.Is(err, fault.Conflict) { // somebody else has done it meanwhile
			return nil
		}
		return err
	})
	return err
}

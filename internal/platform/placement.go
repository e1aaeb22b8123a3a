package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/database"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// undoTimeout bounds how long a creation that has failed takes itself back.
const undoTimeout = 30 * time.Second

func onPrimary(row *publicdb.School) bool { return tenancy.DatabaseOf(row) == postgres.Primary }

// elsewhere creates on another database than primary, or in one that is made for the school. Two
// databases have no common commit, so it goes in steps: claim (the rows, state provisioning), build (the
// schema, in one transaction with Fill, marked as this school's), open (state ready). All the while it
// holds a lock of the school's on the other server; a claim whose lock is free was left by a crash, and
// Recover finishes it or takes it back.
func (c creation) elsewhere(ctx context.Context) error {
	if _, err := c.room(ctx, c.registry.Public()); err != nil {
		return err
	}
	select {
	case c.making <- struct{}{}:
		defer func() { <-c.making }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.registry.OnSession(ctx, c.n.Database, func(conn *pgx.Conn) error {
		if err := command(ctx, conn, "SELECT pg_advisory_lock("+lockOf(c.id)+")"); err != nil {
			return err
		}
		// Logins differ from server to server: one that can't make roles has schools without.
		var mayMakeRoles bool
		if err := ask(ctx, conn, "SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user", nil, &mayMakeRoles); err != nil {
			return err
		}
		if !mayMakeRoles {
			c.role = ""
		}
		var row *publicdb.School
		var own bool
		err := c.inTx(ctx, func(tx *publicdb.Client) (err error) {
			if own, err = c.room(ctx, tx); err == nil {
				row, err = c.rows(ctx, tx, school.StateProvisioning)
			}
			return err
		})
		if err != nil {
			return err
		}
		return c.complete(ctx, conn, row, own)
	})
}

// complete builds and opens a claimed school, or takes it back, also if Fill panics.
func (c creation) complete(ctx context.Context, conn *pgx.Conn, row *publicdb.School, own bool) (err error) {
	opened := false
	defer func() {
		if opened {
			return
		}
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		ready, undone := c.takeBack(undo, conn, row)
		if err = errors.Join(err, undone); ready && undone == nil {
			err = nil // the answer to the commit was lost, the commit was not
		}
	}()
	if own {
		err = makeDatabase(ctx, conn, row)
	}
	if err == nil {
		err = c.build(ctx, row, c.n.Fill)
	}
	if err == nil {
		err = c.open(ctx, c.by, row, c.tenant.Version())
	}
	opened = err == nil
	return err
}

// room holds that the database takes one more school, and says whether one of the school's own is to be
// made on its server. Within a transaction the next creation there waits for the end of this one.
func (c creation) room(ctx context.Context, tx *publicdb.Client) (own bool, err error) {
	isolated := c.n.Isolation == string(school.IsolationDatabase)
	if c.n.Database == postgres.Primary {
		return isolated, nil
	}
	row, err := tx.Database.Query().Where(database.Name(c.n.Database)).ForUpdate().Only(ctx)
	if publicdb.IsNotFound(err) {
		return false, fault.Invalid("body.database", "No database of this name is registered.")
	}
	if err != nil {
		return false, err
	}
	schools, err := tx.School.Query().Where(school.Database(row.Name)).Count(ctx)
	if err != nil {
		return false, err
	}
	dedicated := row.Kind == database.KindDedicated
	switch {
	case dedicated && !isolated:
		return false, fault.Invalid("body.isolation", "This database is for one school alone: its isolation is database.")
	case !row.IsActive:
		return false, fullDatabase("The database %s takes no new schools.", row.Name)
	case dedicated && schools > 0:
		return false, fullDatabase("The database %s has its school already.", row.Name)
	case schools >= row.Capacity:
		return false, fullDatabase("The database %s is full: it holds %d schools.", row.Name, schools)
	}
	return isolated && !dedicated, nil
}

func fullDatabase(format string, args ...any) error {
	e := fault.New(fault.Conflict, format, args...)
	e.Fields = []fault.Field{{Location: "body.database", Message: "Choose another one."}}
	return e
}

// build makes the schema with all tables and fills it, or does nothing.
func (p *Platform) build(ctx context.Context, row *publicdb.School, fill func(*tenancy.Tx, *publicdb.School) error) error {
	return p.registry.InTxAt(ctx, tenancy.DatabaseOf(row), func(tx *tenancy.Tx) error {
		// Whoever finds the claim of a process that was killed waits for the end of this first.
		script := "SELECT pg_advisory_xact_lock(" + buildLockOf(row.ID) + ");\n" + emptyScript(row) + p.schemaScript(row) +
			"COMMENT ON SCHEMA " + postgres.Ident(row.SchemaName) + " IS " + postgres.Literal(mark(row.ID)) + ";\n"
		if _, err := tx.Public().ExecContext(ctx, script); err != nil {
			return err
		}
		if fill == nil {
			return nil
		}
		return fill(tx, row)
	})
}

// emptyScript refuses a database for one school that holds anything.
func emptyScript(row *publicdb.School) string {
	if row.Isolation != school.IsolationDatabase {
		return ""
	}
	return `DO $$ BEGIN IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
THEN RAISE EXCEPTION 'the database is not empty' USING ERRCODE = '` + postgres.NotEmpty + `'; END IF; END $$;
`
}

// open puts a school that is built on the air.
func (p *Platform) open(ctx context.Context, by Actor, row *publicdb.School, version string) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		n, err := tx.School.Update().Where(school.ID(row.ID), school.StateEQ(school.StateProvisioning)).
			SetState(school.StateReady).SetSchemaVersion(version).Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "The school was taken back while it was being made.")
		}
		return created(ctx, tx, by, row)
	})
}

// takeBack leaves nothing of a school that could not be made, or says that it is ready after all. What
// it can't take back now it leaves to Recover.
func (p *Platform) takeBack(ctx context.Context, conn *pgx.Conn, row *publicdb.School) (ready bool, err error) {
	err = p.inTx(ctx, func(tx *publicdb.Client) error {
		ready = false // it may be run again
		now, err := tx.School.Query().Where(school.ID(row.ID)).ForUpdate().Only(ctx)
		switch {
		case publicdb.IsNotFound(err):
			return p.drop(ctx, conn, row)
		case err != nil:
			return err
		case now.State != school.StateProvisioning:
			ready = true
			return nil
		}
		if err := p.drop(ctx, conn, row); err != nil {
			return err
		}
		return tx.School.DeleteOne(now).Exec(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("taking back the school %s: %w", row.Code, err)
	}
	return ready, nil
}

// mark is the comment on what was made for a school: nothing else is ever dropped unasked.
func mark(id uuid.UUID) string { return "homeroom school " + id.String() }

func lockOf(id uuid.UUID) string { return lockNumber("homeroom_school:" + id.String()) }

func buildLockOf(id uuid.UUID) string { return lockNumber("homeroom_build:" + id.String()) }

func lockNumber(name string) string {
	return "hashtextextended(" + postgres.Literal(name) + ", 0)"
}

package platform

import (
	"context"
	"regexp"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/database"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// NewDatabase is what a database is registered from.
type NewDatabase struct {
	Name string
	Kind string // "" for shared
	DatabaseChange
}

// DatabaseChange is what of a registered database may be changed.
type DatabaseChange struct {
	URL         string  // without a password
	PasswordRef *string // env:NAME or file:PATH
	Capacity    int     // 0 for the default
	IsActive    bool
}

const defaultCapacity = 500

var databasePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// check also brings the change to its normal form.
func (c *DatabaseChange) check() (faults []fault.Field) {
	registration := postgres.Registration{URL: c.URL}
	if c.PasswordRef != nil {
		registration.PasswordRef = *c.PasswordRef
	}
	for _, field := range registration.Check() {
		faults = append(faults, fault.Field{Location: "body." + field.Location, Message: field.Message})
	}
	if c.Capacity == 0 {
		c.Capacity = defaultCapacity
	}
	if database.CapacityValidator(c.Capacity) != nil {
		faults = append(faults, fault.Field{Location: "body.capacity", Message: "A capacity is a number of schools from 1 to 100000."})
	}
	return faults
}

func (n *NewDatabase) check() []fault.Field {
	faults := n.DatabaseChange.check()
	switch {
	case !databasePattern.MatchString(n.Name):
		faults = append(faults, fault.Field{Location: "body.name", Message: "A name begins with a letter and has at most 63 of a-z, 0-9 and hyphens."})
	case n.Name == postgres.Primary:
		faults = append(faults, fault.Field{Location: "body.name", Message: "primary is the database that holds the platform's own tables."})
	}
	if n.Kind == "" {
		n.Kind = string(database.KindShared)
	}
	if database.KindValidator(database.Kind(n.Kind)) != nil {
		faults = append(faults, fault.Field{Location: "body.kind", Message: "This is shared or dedicated."})
	}
	return faults
}

var databaseOrder = keyset.Order[publicdb.Database]{
	Keys: []keyset.Key[publicdb.Database]{
		{Name: "name", Value: func(d *publicdb.Database) string { return d.Name }},
		{Name: "created_at", Value: func(d *publicdb.Database) string { return keyset.Time(d.CreatedAt) }},
	},
	ID: func(d *publicdb.Database) uuid.UUID { return d.ID },
}

// Databases returns a page of registered databases, and the cursor of the next page. primary is none
// of them.
func (p *Platform) Databases(ctx context.Context, page keyset.Page) ([]*publicdb.Database, string, error) {
	return keyset.List(ctx, p.registry.Public().Database.Query(), databaseOrder, page)
}

// Database returns a registered database.
func (p *Platform) Database(ctx context.Context, name string) (*publicdb.Database, error) {
	row, err := p.registry.Public().Database.Query().Where(database.Name(name)).Only(ctx)
	return row, notFound(err, "database")
}

// AddDatabase registers a database. It does not connect to it: see CheckDatabase. A URL that holds a
// password, or a reference to one that this process can't read, is InvalidInput.
func (p *Platform) AddDatabase(ctx context.Context, by Actor, n NewDatabase) (row *publicdb.Database, err error) {
	if faults := n.check(); len(faults) > 0 {
		return nil, invalid(faults)
	}
	err = p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err = tx.Database.Create().SetName(n.Name).SetKind(database.Kind(n.Kind)).SetURL(n.URL).
			SetNillablePasswordRef(n.PasswordRef).SetCapacity(n.Capacity).SetIsActive(n.IsActive).Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "database.create", nil, changed(nil, databaseFacts(row)))
	})
	return row, err
}

// UpdateDatabase changes a registered database. Its schools go to where it says from then on.
func (p *Platform) UpdateDatabase(ctx context.Context, by Actor, name string, edit func(*publicdb.Database) (DatabaseChange, error)) (row *publicdb.Database, err error) {
	err = p.changeDatabase(ctx, name, func(tx *publicdb.Client, old *publicdb.Database) error {
		change, err := edit(old)
		if err != nil {
			return err
		}
		if faults := change.check(); len(faults) > 0 {
			return invalid(faults)
		}
		update := tx.Database.UpdateOne(old).SetURL(change.URL).SetCapacity(change.Capacity).SetIsActive(change.IsActive)
		if change.PasswordRef == nil {
			update.ClearPasswordRef()
		} else {
			update.SetPasswordRef(*change.PasswordRef)
		}
		if row, err = update.Save(ctx); err != nil {
			return err
		}
		return audit(ctx, tx, by, "database.update", nil, changed(databaseFacts(old), databaseFacts(row)))
	})
	if err == nil {
		p.registry.Forget(name)
	}
	return row, err
}

// RemoveDatabase ends a registration; the database itself is left as it is. One in which schools live
// is a Conflict. check may refuse, given the row as it is at that moment.
func (p *Platform) RemoveDatabase(ctx context.Context, by Actor, name string, check func(*publicdb.Database) error) error {
	err := p.changeDatabase(ctx, name, func(tx *publicdb.Client, row *publicdb.Database) error {
		if err := check(row); err != nil {
			return err
		}
		schools, err := tx.School.Query().Where(school.Database(name)).Count(ctx)
		if err != nil {
			return err
		}
		if schools > 0 {
			return fault.New(fault.Conflict, "%d schools live in this database, the deleted ones included: purge or move them first.", schools)
		}
		if err := tx.Database.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return audit(ctx, tx, by, "database.delete", nil, changed(databaseFacts(row), nil))
	})
	if err == nil {
		p.registry.Forget(name)
	}
	return err
}

func (p *Platform) changeDatabase(ctx context.Context, name string, do func(*publicdb.Client, *publicdb.Database) error) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err := tx.Database.Query().Where(database.Name(name)).ForUpdate().Only(ctx)
		if err != nil {
			return notFound(err, "database")
		}
		return do(tx, row)
	})
}

// Registration returns where a database is, primary included.
func (p *Platform) Registration(ctx context.Context, name string) (postgres.Registration, error) {
	if name == postgres.Primary {
		return p.registry.Primary(), nil
	}
	row, err := p.Database(ctx, name)
	if err != nil {
		return postgres.Registration{}, err
	}
	return tenancy.RegistrationOf(row), nil
}

package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// Database is a registered PostgreSQL database.
type Database struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	Name        string    `json:"name" example:"north"`
	URL         string    `json:"url" example:"postgres://homeroom@db-north:5432/schools" doc:"Without a password."`
	PasswordRef *string   `json:"password_ref" example:"env:HOMEROOM_DB_PASSWORD_NORTH" doc:"Where the password is: env:NAME or file:PATH."`
	Capacity    int       `json:"capacity" doc:"Schools, at most."`
	Kind        string    `json:"kind" enum:"shared,dedicated" doc:"shared: for the schemas of many schools, and its server for databases of their own. dedicated: an empty database for one school."`
	IsActive    bool      `json:"is_active" doc:"Whether it takes new schools."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// DatabaseOf is a registered database as the API shows it.
func DatabaseOf(d *publicdb.Database) Database {
	return Database{d.ID, d.Name, d.URL, d.PasswordRef, d.Capacity, d.Kind.String(), d.IsActive, d.CreatedAt, d.UpdatedAt}
}

// DatabaseCreateInput is what a database is registered from.
type DatabaseCreateInput struct {
	Name        string  `json:"name" pattern:"^[a-z][a-z0-9-]{0,62}$" patternDescription:"a letter, then at most 62 of a-z, 0-9 and hyphens" example:"north" doc:"Never changes; not primary, which holds the platform's own tables."`
	URL         string  `json:"url" minLength:"1" maxLength:"2000" example:"postgres://homeroom@db-north:5432/schools" doc:"Without a password."`
	PasswordRef *string `json:"password_ref,omitempty" minLength:"1" maxLength:"1000" example:"env:HOMEROOM_DB_PASSWORD_NORTH" doc:"Where the password is: env:NAME or file:PATH, as the service sees them."`
	Capacity    *int    `json:"capacity,omitempty" minimum:"1" maximum:"100000" default:"500" doc:"Schools, at most."`
	Kind        *string `json:"kind,omitempty" enum:"shared,dedicated" default:"shared" doc:"Never changes."`
	IsActive    *bool   `json:"is_active,omitempty" default:"true" doc:"Whether it takes new schools."`
}

// DatabaseInput is what of a registered database may be changed.
type DatabaseInput struct {
	URL         string  `json:"url" minLength:"1" maxLength:"2000" example:"postgres://homeroom@db-north:5432/schools" doc:"Without a password."`
	PasswordRef *string `json:"password_ref,omitempty" minLength:"1" maxLength:"1000" example:"file:/run/secrets/north" doc:"Where the password is: env:NAME or file:PATH, as the service sees them."`
	Capacity    *int    `json:"capacity,omitempty" minimum:"1" maximum:"100000" default:"500" doc:"Schools, at most."`
	IsActive    *bool   `json:"is_active,omitempty" default:"true" doc:"Whether it takes new schools."`
}

// DatabasePath names a registered database.
type DatabasePath struct {
	Name string `path:"name" maxLength:"63" doc:"The database's name."`
}

// DatabaseTarget names a registered database that is to be changed.
type DatabaseTarget struct {
	DatabasePath
	wire.IfMatch
}

func databaseItem(row *publicdb.Database, err error) (*wire.Item[Database], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewItem(DatabaseOf(row), row.UpdatedAt), nil
}

func (s Service) registerDatabases(api huma.API) {
	const tag, all, one = "Databases", "/databases/", "/databases/{name}/"
	huma.Register(api, operation("list-databases", http.MethodGet, all, tag, "List registered databases", "databases:read"),
		func(ctx context.Context, in *struct {
			wire.PageInput
			Sort string `query:"sort" enum:"name,-name,created_at,-created_at" default:"name" doc:"With - before the name: descending."`
		},
		) (*wire.PageOutput[Database], error) {
			rows, next, err := s.Platform.Databases(ctx, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, DatabaseOf)
		})
	create := operation("create-database", http.MethodPost, all, tag, "Register a database", "databases:write")
	create.Description = "The database has to be there; `homeroom database check` proves that it can be used."
	huma.Register(api, create, func(ctx context.Context, in *struct{ Body DatabaseCreateInput }) (*wire.Created[Database], error) {
		b := in.Body
		row, err := s.Platform.AddDatabase(ctx, actor(ctx), platform.NewDatabase{Name: b.Name, Kind: value(b.Kind), DatabaseChange: platform.DatabaseChange{
			URL: b.URL, PasswordRef: b.PasswordRef, Capacity: value(b.Capacity), IsActive: value(b.IsActive),
		}})
		if err != nil {
			return nil, err
		}
		return wire.NewCreated(DatabaseOf(row), row.UpdatedAt, root+all+row.Name+"/"), nil
	})
	huma.Register(api, operation("get-database", http.MethodGet, one, tag, "Get a registered database", "databases:read"),
		func(ctx context.Context, in *DatabasePath) (*wire.Item[Database], error) {
			return databaseItem(s.Platform.Database(ctx, in.Name))
		})
	huma.Register(api, operation("update-database", http.MethodPatch, one, tag, "Change a registered database", "databases:write"),
		func(ctx context.Context, in *struct {
			DatabaseTarget
			Body wire.Patch[DatabaseInput]
		},
		) (*wire.Item[Database], error) {
			return s.updateDatabase(ctx, in.DatabaseTarget, in.Body.Apply)
		})
	remove := operation("delete-database", http.MethodDelete, one, tag, "End a database's registration", "databases:write")
	remove.Description = "Refused while schools live in it. The database itself is left as it is."
	huma.Register(api, remove, func(ctx context.Context, in *DatabaseTarget) (*struct{}, error) {
		return nil, s.Platform.RemoveDatabase(ctx, actor(ctx), in.Name, func(row *publicdb.Database) error { return in.Check(row.UpdatedAt) })
	})
}

func (s Service) updateDatabase(ctx context.Context, d DatabaseTarget, edit func(DatabaseInput) (DatabaseInput, error)) (*wire.Item[Database], error) {
	return databaseItem(s.Platform.UpdateDatabase(ctx, actor(ctx), d.Name, func(row *publicdb.Database) (platform.DatabaseChange, error) {
		if err := d.Check(row.UpdatedAt); err != nil {
			return platform.DatabaseChange{}, err
		}
		in, err := edit(DatabaseInput{URL: row.URL, PasswordRef: row.PasswordRef, Capacity: &row.Capacity, IsActive: &row.IsActive})
		return platform.DatabaseChange{URL: in.URL, PasswordRef: in.PasswordRef, Capacity: value(in.Capacity), IsActive: value(in.IsActive)}, err
	}))
}

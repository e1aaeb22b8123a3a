package platform

import (
	"context"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/predicate"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// MigrationFilter narrows a list of where schools stand; an empty field does not.
type MigrationFilter struct {
	State    string // one of fleet's
	Database string
	Search   string // in name and code
}

// Migration is where a school stands with its migrations.
type Migration struct {
	School  *publicdb.School
	State   string
	Pending []string // the revisions to come
}

// Fleet counts all schools by where they stand.
type Fleet struct {
	Version                        string // that this program brings schools to
	Current, Behind, Ahead, Failed int
}

// Migrations returns a page of where schools stand, by what is recorded of them, and the cursor of the
// next page. A school that is being made is not among them.
func (p *Platform) Migrations(ctx context.Context, f MigrationFilter, page keyset.Page) ([]*Migration, string, error) {
	query := p.migrated()
	if f.State != "" {
		query.Where(p.standing(f.State)...)
	}
	if f.Database != "" {
		query.Where(school.Database(f.Database))
	}
	if f.Search != "" {
		query.Where(school.Or(school.NameContainsFold(f.Search), school.CodeContainsFold(f.Search)))
	}
	rows, next, err := keyset.List(ctx, query, schoolOrder, page)
	if err != nil {
		return nil, "", err
	}
	found := make([]*Migration, len(rows))
	for i, row := range rows {
		found[i] = &Migration{School: row}
		found[i].State, found[i].Pending = p.tenant.Standing(row.SchemaVersion, row.MigrationError)
	}
	return found, next, nil
}

// Fleet counts the schools that Migrations lists, of all databases.
func (p *Platform) Fleet(ctx context.Context) (f Fleet, err error) {
	f.Version = p.tenant.Version()
	for state, count := range map[string]*int{fleet.Current: &f.Current, fleet.Behind: &f.Behind, fleet.Ahead: &f.Ahead, fleet.Failed: &f.Failed} {
		if *count, err = p.migrated().Where(p.standing(state)...).Count(ctx); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (p *Platform) migrated() *publicdb.SchoolQuery {
	return p.registry.Public().School.Query().Where(school.StateNEQ(school.StateProvisioning))
}

// standing is fleet's Standing as PostgreSQL decides it.
func (p *Platform) standing(state string) []predicate.School {
	last := p.tenant.Version()
	switch state {
	case fleet.Failed:
		return []predicate.School{school.MigrationErrorNEQ("")}
	case fleet.Behind:
		return []predicate.School{school.MigrationError(""), school.SchemaVersionLT(last)}
	case fleet.Ahead:
		return []predicate.School{school.MigrationError(""), school.SchemaVersionGT(last)}
	}
	return []predicate.School{school.MigrationError(""), school.SchemaVersion(last)}
}

package platform

import (
	"context"
	"encoding/json"
	"fmt"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/ent/public/predicate"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// School returns a school with its domains.
func (p *Platform) School(ctx context.Context, id uuid.UUID) (*publicdb.School, error) {
	return p.find(ctx, school.ID(id))
}

// SchoolByCode returns a school with its domains.
func (p *Platform) SchoolByCode(ctx context.Context, code string) (*publicdb.School, error) {
	return p.find(ctx, school.Code(code))
}

func (p *Platform) find(ctx context.Context, by predicate.School) (*publicdb.School, error) {
	row, err := withDomains(p.registry.Public().School.Query().Where(by)).Only(ctx)
	if err != nil {
		return nil, notFound(err, "school")
	}
	return row, readDomains(row)
}

// domainsColumn is where withDomains has a school's domains, as JSON.
const domainsColumn = "domains"

// withDomains has a query bring its schools' domains along, for readDomains: ent's own WithDomains takes
// another round trip. A query that locks must have that one: a second look sees what was waited for.
func withDomains(q *publicdb.SchoolQuery) *publicdb.SchoolQuery {
	return q.Order(func(s *sql.Selector) {
		s.AppendSelectExprAs(sql.Raw(
			"(SELECT json_agg(json_build_object('id', d.id, 'domain', d.domain, 'is_primary', d.is_primary) ORDER BY d.id)"+
				" FROM domains d WHERE d.tenant_id = "+s.C(school.FieldID)+")"), domainsColumn)
	})
}

// readDomains puts the domains that rows came with where ent has them. They are only to be read: they know no client.
func readDomains(rows ...*publicdb.School) error {
	for _, row := range rows {
		value, err := row.Value(domainsColumn)
		if err != nil {
			return err
		}
		text, ok := value.([]byte)
		if !ok { // NULL: there are none
			continue
		}
		if err := json.Unmarshal(text, &row.Edges.Domains); err != nil {
			return fmt.Errorf("reading a school's domains: %w", err)
		}
	}
	return nil
}

// SchoolFilter narrows a list of schools; a nil or empty field does not.
type SchoolFilter struct {
	IsActive      *bool
	SetupProgress string
	Isolation     string
	Database      string
	State         string // "" hides the deleted
	Search        string // in name, code and domains
}

var schoolOrder = keyset.Order[publicdb.School]{
	Keys: []keyset.Key[publicdb.School]{
		{Name: "name", Value: func(s *publicdb.School) string { return s.Name }},
		{Name: "code", Value: func(s *publicdb.School) string { return s.Code }},
		{Name: "created_at", Value: func(s *publicdb.School) string { return keyset.Time(s.CreatedAt) }},
	},
	ID: func(s *publicdb.School) uuid.UUID { return s.ID },
}

// Schools returns a page of schools with their domains, and the cursor of the next page.
func (p *Platform) Schools(ctx context.Context, f SchoolFilter, page keyset.Page) ([]*publicdb.School, string, error) {
	rows, next, err := keyset.List(ctx, withDomains(p.registry.Public().School.Query().Where(f.predicates()...)), schoolOrder, page)
	if err != nil {
		return nil, "", err
	}
	return rows, next, readDomains(rows...)
}

func (f SchoolFilter) predicates() []predicate.School {
	where := []predicate.School{school.StateNEQ(school.StateDeleted)}
	if f.State != "" {
		where = []predicate.School{school.StateEQ(school.State(f.State))}
	}
	if f.IsActive != nil {
		where = append(where, school.IsActive(*f.IsActive))
	}
	if f.SetupProgress != "" {
		where = append(where, school.SetupProgressEQ(school.SetupProgress(f.SetupProgress)))
	}
	if f.Isolation != "" {
		where = append(where, school.IsolationEQ(school.Isolation(f.Isolation)))
	}
	if f.Database != "" {
		where = append(where, school.Database(f.Database))
	}
	if f.Search != "" {
		where = append(where, school.Or(school.NameContainsFold(f.Search), school.CodeContainsFold(f.Search),
			school.HasDomainsWith(domain.DomainContainsFold(f.Search))))
	}
	return where
}

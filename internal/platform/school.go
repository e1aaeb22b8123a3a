package platform

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/ent/public/predicate"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// NewSchool is what a school is created from.
type NewSchool struct {
	Name        string
	Code        string
	SchemaName  string // "" for school_<code>
	Domains     []NewDomain
	Isolation   string // "" for schema
	Database    string // "" for primary
	ContactedBy *string
	Admin       *auth.Invitation // the school's first admin; nil for none

	// Fill, if any, is called once the schema has its tables, in the same transaction on the school's
	// database: a school comes with what it puts there, or not at all.
	Fill func(tx *tenancy.Tx, school *publicdb.School) error
}

var (
	codePattern   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	schemaPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	// reserved are schemas that are no school's: PostgreSQL's and the platform's own.
	reserved = []string{"public", "information_schema", "jobs"}
)

// Create makes a school that is ready to serve: its row, its domains, its onboarding and its
// schema with all tables. If any of it fails, nothing is left. On the primary database it is one
// transaction; elsewhere see creation.elsewhere. A database that is full or takes no schools is a
// Conflict.
func (p *Platform) Create(ctx context.Context, by Actor, n NewSchool) (*publicdb.School, error) {
	n = n.withDefaults()
	byCode := len(n.Domains) == 0 && p.settings.BaseDomain != ""
	if byCode {
		n.Domains = []NewDomain{{Domain: n.Code + "." + p.settings.BaseDomain, IsPrimary: true}}
	}
	faults := n.check()
	domains, domainFaults := p.checkDomains(n.Domains)
	if !byCode || len(faults) == 0 {
		faults = append(faults, domainFaults...)
	}
	if len(faults) > 0 {
		return nil, blameCode(byCode, invalid(faults))
	}
	n.Domains = domains
	n.Fill = n.withAdmin(ctx, p.now())
	c := creation{Platform: p, by: by, n: n, id: mixin.NewID(), byCode: byCode}
	if p.settings.TenantRoles {
		c.role = fleet.RoleName(n.SchemaName, c.id)
	}
	create := c.here
	if n.Database != postgres.Primary || n.Isolation != string(school.IsolationSchema) {
		create = c.elsewhere
	}
	if err := create(ctx); err != nil {
		return nil, err
	}
	return p.School(ctx, c.id)
}

func (n NewSchool) withDefaults() NewSchool {
	n.SchemaName = cmp.Or(n.SchemaName, "school_"+strings.ReplaceAll(n.Code, "-", "_"))
	n.Isolation = cmp.Or(n.Isolation, string(school.IsolationSchema))
	n.Database = cmp.Or(n.Database, postgres.Primary)
	return n
}

// creation is one school on its way.
type creation struct {
	*Platform
	by     Actor
	n      NewSchool
	id     uuid.UUID
	byCode bool
	role   string // of the school in PostgreSQL; "" for none
}

// here creates on the primary database.
func (c creation) here(ctx context.Context) error {
	return c.registry.InTx(ctx, func(both *tenancy.Tx) error {
		row, err := c.rows(ctx, both.Public(), school.StateReady)
		if err != nil {
			return err
		}
		if _, err := both.Public().ExecContext(ctx, c.schemaScript(row)); err != nil {
			return err
		}
		if c.n.Fill != nil {
			if err := c.n.Fill(both, row); err != nil {
				return err
			}
		}
		return created(ctx, both.Public(), c.by, row)
	})
}

// schemaScript is the SQL that makes a school's schema, with all tables, and its role if it has one.
func (p *Platform) schemaScript(row *publicdb.School) string {
	script := p.tenant.CreateScript(row.SchemaName)
	if row.RoleName != "" {
		script += fleet.CreateRoleScript(row.SchemaName, row.RoleName)
	}
	return script
}

// dropSchemaScript is the SQL that drops what schemaScript made.
func dropSchemaScript(row *publicdb.School) string {
	script := "DROP SCHEMA IF EXISTS " + postgres.Ident(row.SchemaName) + " CASCADE;\n"
	if row.RoleName != "" {
		script += fleet.DropRoleScript(row.RoleName)
	}
	return script
}

// rows writes what the platform's tables hold of the school.
func (c creation) rows(ctx context.Context, tx *publicdb.Client, state school.State) (*publicdb.School, error) {
	n := c.n
	row, err := tx.School.Create().SetID(c.id).SetRoleName(c.role).SetName(n.Name).SetCode(n.Code).SetSchemaName(n.SchemaName).
		SetIsolation(school.Isolation(n.Isolation)).SetDatabase(n.Database).
		SetState(state).SetSchemaVersion(c.tenant.Version()).Save(ctx)
	if err != nil {
		return nil, err
	}
	for i, d := range n.Domains {
		if err := putDomain(ctx, tx, c.id, i, d); err != nil {
			return nil, blameCode(c.byCode, err)
		}
	}
	return row, tx.SchoolSetup.Create().SetSchoolID(c.id).SetSteps(firstSteps()).SetNillableContactedBy(n.ContactedBy).Exec(ctx)
}

func created(ctx context.Context, tx *publicdb.Client, by Actor, row *publicdb.School) error {
	return audit(ctx, tx, by, "school.create", row, changed(nil, schoolFacts(row)))
}

// blameCode turns what is wrong with a domain that nobody gave to the code that it was made from.
func blameCode(byCode bool, err error) error {
	var f *fault.Error
	if byCode && errors.As(err, &f) {
		for i, field := range f.Fields {
			if strings.HasPrefix(field.Location, "body.domains[") {
				f.Fields[i] = fault.Field{Location: "body.code", Message: "Its domain under the platform's own can't be had: give domains, or another code."}
			}
		}
	}
	return err
}

func (n NewSchool) check() []fault.Field {
	faults := checkName(n.Name)
	if !codePattern.MatchString(n.Code) || len(n.Code) < 2 || len(n.Code) > 40 {
		faults = append(faults, fault.Field{Location: "body.code", Message: "A code has 2 to 40 of a-z, 0-9 and single hyphens between them."})
	} else if !schemaPattern.MatchString(n.SchemaName) {
		faults = append(faults, fault.Field{Location: "body.schema_name", Message: "A schema name begins with a letter and has at most 63 of a-z, 0-9 and _."})
	} else if slices.Contains(reserved, n.SchemaName) || strings.HasPrefix(n.SchemaName, "pg_") {
		faults = append(faults, fault.Field{Location: "body.schema_name", Message: "This schema name is reserved."})
	}
	if n.Isolation != "" && school.IsolationValidator(school.Isolation(n.Isolation)) != nil {
		faults = append(faults, fault.Field{Location: "body.isolation", Message: "This is schema or database."})
	}
	return faults
}

func checkName(name string) []fault.Field {
	if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return []fault.Field{{Location: "body.name", Message: "A name needs at least one visible character and no control characters."}}
	}
	return nil
}

func invalid(faults []fault.Field) error {
	return &fault.Error{Kind: fault.InvalidInput, Message: faults[0].Message, Fields: faults}
}

// School returns a school with its domains.
func (p *Platform) School(ctx context.Context, id uuid.UUID) (*publicdb.School, error) {
	return p.registry.School(ctx, id)
}

// SchoolByCode returns a school with its domains.
func (p *Platform) SchoolByCode(ctx context.Context, code string) (*publicdb.School, error) {
	row, err := withDomains(p.registry.Public().School.Query().Where(school.Code(code))).Only(ctx)
	return row, notFound(err, "school")
}

func withDomains(q *publicdb.SchoolQuery) *publicdb.SchoolQuery {
	return q.WithDomains(func(d *publicdb.DomainQuery) { d.Order(domain.ByID()) })
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
	return keyset.List(ctx, withDomains(p.registry.Public().School.Query().Where(f.predicates()...)), schoolOrder, page)
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

// SchoolChange is what of a school may be changed.
type SchoolChange struct {
	Name     string
	Code     string
	IsActive bool
	Domains  []NewDomain // all its domains from now on; nil leaves them as they are
}

// Update changes a school. The change is made from the row as it is at that moment, locked, so
// that edit may also refuse it.
func (p *Platform) Update(ctx context.Context, by Actor, id uuid.UUID, edit func(*publicdb.School) (SchoolChange, error)) (*publicdb.School, error) {
	err := p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err := withDomains(tx.School.Query().Where(school.ID(id)).ForUpdate()).Only(ctx)
		if err != nil {
			return notFound(err, "school")
		}
		if err := live(row); err != nil {
			return err
		}
		change, err := edit(row)
		if err != nil {
			return err
		}
		faults := NewSchool{Name: change.Name, Code: change.Code, SchemaName: row.SchemaName}.check()
		domains, domainFaults := p.checkDomains(change.Domains)
		if faults = append(faults, domainFaults...); len(faults) > 0 {
			return invalid(faults)
		}
		saved, err := tx.School.UpdateOneID(id).SetName(change.Name).SetCode(change.Code).SetIsActive(change.IsActive).Save(ctx)
		if err != nil {
			return err
		}
		before, after := schoolFacts(row), schoolFacts(saved)
		if change.Domains != nil {
			if err := replaceDomains(ctx, tx, row, domains); err != nil {
				return err
			}
			before["domains"], after["domains"] = domainsOf(row), domains
		}
		return audit(ctx, tx, by, "school.update", row, changed(before, after))
	})
	if err != nil {
		return nil, err
	}
	return p.School(ctx, id)
}

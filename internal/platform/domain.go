package platform

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// MaxDomains is how many domains a school may have.
const MaxDomains = 50

// NewDomain is a hostname that is to lead to a school.
type NewDomain struct {
	Domain    string `json:"domain"`
	IsPrimary bool   `json:"is_primary"`
}

// domainsOf returns a school's domains as they would be given.
func domainsOf(school *publicdb.School) []NewDomain {
	domains := make([]NewDomain, 0, len(school.Edges.Domains))
	for _, row := range school.Edges.Domains {
		domains = append(domains, NewDomain{row.Domain, row.IsPrimary})
	}
	return domains
}

// checkDomains normalises a school's domains and sees to it that just one is primary: the first,
// if none says so.
func (p *Platform) checkDomains(domains []NewDomain) ([]NewDomain, []fault.Field) {
	var faults []fault.Field
	refuse := func(at int, field, message string) {
		faults = append(faults, fault.Field{Location: fmt.Sprintf("body.domains[%d].%s", at, field), Message: message})
	}
	checked, primaries := make([]NewDomain, 0, len(domains)), 0
	for i, d := range domains {
		name, err := p.checkDomain(d.Domain)
		switch {
		case err != nil:
			refuse(i, "domain", fault.Of(err).Message)
		case slices.ContainsFunc(checked, func(c NewDomain) bool { return c.Domain == name }):
			refuse(i, "domain", "This domain is in the list twice.")
		}
		if d.IsPrimary {
			if primaries++; primaries > 1 {
				refuse(i, "is_primary", "A school has one primary domain.")
			}
		}
		checked = append(checked, NewDomain{name, d.IsPrimary})
	}
	if primaries == 0 && len(checked) > 0 {
		checked[0].IsPrimary = true
	}
	return checked, faults
}

func (p *Platform) checkDomain(name string) (string, error) {
	normal, err := tenancy.NormaliseDomain(name)
	if err != nil {
		return "", err
	}
	if slices.Contains(p.settings.PublicHosts, normal) {
		return "", fault.New(fault.InvalidInput, "This host serves the platform itself.")
	}
	return normal, nil
}

// putDomain adds the domain at a place in the list that was given. One that another school has is a
// Conflict that names the place.
func putDomain(ctx context.Context, tx *publicdb.Client, schoolID uuid.UUID, at int, d NewDomain) error {
	err := tx.Domain.Create().SetTenantID(schoolID).SetDomain(d.Domain).SetIsPrimary(d.IsPrimary).Exec(ctx)
	if fault.Is(err, fault.Conflict) {
		return &fault.Error{
			Kind: fault.Conflict, Message: "A school has this domain already.", Cause: err,
			Fields: []fault.Field{{Location: fmt.Sprintf("body.domains[%d].domain", at), Message: "This domain is taken."}},
		}
	}
	return err
}

// replaceDomains makes the given domains all that a school has. Rows of domains that stay are kept,
// and those that stay as they are are not touched.
func replaceDomains(ctx context.Context, tx *publicdb.Client, school *publicdb.School, domains []NewDomain) error {
	var names []string
	for _, d := range domains {
		names = append(names, d.Domain)
	}
	if _, err := tx.Domain.Delete().Where(domain.TenantID(school.ID), domain.DomainNotIn(names...)).Exec(ctx); err != nil {
		return err
	}
	old := map[string]*publicdb.Domain{}
	for _, row := range school.Edges.Domains {
		old[row.Domain] = row
	}
	for _, d := range domains {
		if was := old[d.Domain]; d.IsPrimary && (was == nil || !was.IsPrimary) {
			if err := demote(ctx, tx, school.ID); err != nil {
				return err
			}
		}
	}
	for i, d := range domains {
		var err error
		switch was := old[d.Domain]; {
		case was == nil:
			err = putDomain(ctx, tx, school.ID, i, d)
		case d.IsPrimary && !was.IsPrimary:
			err = tx.Domain.UpdateOneID(was.ID).SetIsPrimary(true).Exec(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// demote leaves a school without a primary domain, for the moment until the next gets to be it.
func demote(ctx context.Context, tx *publicdb.Client, schoolID uuid.UUID) error {
	return tx.Domain.Update().Where(domain.TenantID(schoolID), domain.IsPrimary(true)).SetIsPrimary(false).Exec(ctx)
}

// touch gives a school a new updated_at: its domains are a part of it for whoever goes by its ETag.
func touch(ctx context.Context, tx *publicdb.Client, school *publicdb.School) error {
	return tx.School.UpdateOne(school).Exec(ctx)
}

var domainOrder = keyset.Order[publicdb.Domain]{
	Keys: []keyset.Key[publicdb.Domain]{
		{Name: "domain", Value: func(d *publicdb.Domain) string { return d.Domain }},
		{Name: "created_at", Value: func(d *publicdb.Domain) string { return keyset.Time(d.CreatedAt) }},
	},
	ID: func(d *publicdb.Domain) uuid.UUID { return d.ID },
}

// Domains returns a page of the domains of one school, or of all when schoolID is nil. exact
// narrows it to one hostname, in any form that leads to it.
func (p *Platform) Domains(ctx context.Context, schoolID *uuid.UUID, exact string, page keyset.Page) ([]*publicdb.Domain, string, error) {
	query := p.registry.Public().Domain.Query()
	if schoolID != nil {
		if _, err := p.School(ctx, *schoolID); err != nil {
			return nil, "", err
		}
		query.Where(domain.TenantID(*schoolID))
	}
	if exact != "" {
		name, err := tenancy.NormaliseHost(exact)
		if err != nil {
			return nil, "", fault.Invalid("query.domain", "%s", fault.Of(err).Message)
		}
		query.Where(domain.Domain(name))
	}
	return keyset.List(ctx, query, domainOrder, page)
}

// Domain returns one domain of a school.
func (p *Platform) Domain(ctx context.Context, schoolID, id uuid.UUID) (*publicdb.Domain, error) {
	row, err := p.registry.Public().Domain.Query().Where(domain.ID(id), domain.TenantID(schoolID)).Only(ctx)
	return row, notFound(err, "domain of this school")
}

// AddDomain gives a school one more domain. The first, or one that says so, becomes its primary.
func (p *Platform) AddDomain(ctx context.Context, by Actor, schoolID uuid.UUID, n NewDomain) (row *publicdb.Domain, err error) {
	name, err := p.checkDomain(n.Domain)
	if err != nil {
		return nil, fault.Invalid("body.domain", "%s", fault.Of(err).Message)
	}
	err = p.changeLive(ctx, schoolID, func(tx *publicdb.Client, school *publicdb.School) error {
		others, err := tx.Domain.Query().Where(domain.TenantID(schoolID)).Count(ctx)
		if err != nil {
			return err
		}
		if others >= MaxDomains {
			return fault.New(fault.Conflict, "A school has at most %d domains.", MaxDomains)
		}
		primary := n.IsPrimary || others == 0
		if primary {
			if err := demote(ctx, tx, schoolID); err != nil {
				return err
			}
		}
		row, err = tx.Domain.Create().SetTenantID(schoolID).SetDomain(name).SetIsPrimary(primary).Save(ctx)
		if err != nil {
			return err
		}
		if err := touch(ctx, tx, school); err != nil {
			return err
		}
		return audit(ctx, tx, by, "domain.create", school, changed(nil, domainFacts(row)))
	})
	return row, err
}

// MakePrimary makes a domain its school's primary, in one step with the one that was it. Saying
// false of the primary is a Conflict: another has to become it.
func (p *Platform) MakePrimary(ctx context.Context, by Actor, schoolID, id uuid.UUID, edit func(*publicdb.Domain) (bool, error)) (row *publicdb.Domain, err error) {
	err = p.changeDomain(ctx, schoolID, id, func(tx *publicdb.Client, school *publicdb.School, old *publicdb.Domain) error {
		row = old
		primary, err := edit(old)
		if err != nil || primary == old.IsPrimary {
			return err
		}
		if !primary {
			return fault.New(fault.Conflict, "A school keeps a primary domain: make another one primary instead.")
		}
		if err := demote(ctx, tx, schoolID); err != nil {
			return err
		}
		if row, err = tx.Domain.UpdateOneID(id).SetIsPrimary(true).Save(ctx); err != nil {
			return err
		}
		if err := touch(ctx, tx, school); err != nil {
			return err
		}
		return audit(ctx, tx, by, "domain.make-primary", school, changed(domainFacts(old), domainFacts(row)))
	})
	return row, err
}

// RemoveDomain takes a domain from a school. The primary one stays while there are others: that
// is a Conflict. check may refuse, given the row as it is at that moment.
func (p *Platform) RemoveDomain(ctx context.Context, by Actor, schoolID, id uuid.UUID, check func(*publicdb.Domain) error) error {
	return p.changeDomain(ctx, schoolID, id, func(tx *publicdb.Client, school *publicdb.School, row *publicdb.Domain) error {
		if err := check(row); err != nil {
			return err
		}
		others, err := tx.Domain.Query().Where(domain.TenantID(schoolID), domain.IDNEQ(id)).Exist(ctx)
		if err != nil {
			return err
		}
		if row.IsPrimary && others {
			return fault.New(fault.Conflict, "This is the school's primary domain: make another one primary first.")
		}
		if err := tx.Domain.DeleteOneID(id).Exec(ctx); err != nil {
			return err
		}
		if err := touch(ctx, tx, school); err != nil {
			return err
		}
		return audit(ctx, tx, by, "domain.delete", school, changed(domainFacts(row), nil))
	})
}

// changeDomain locks the school, not the domain: changes of a school's domains follow one another.
func (p *Platform) changeDomain(ctx context.Context, schoolID, id uuid.UUID, do func(*publicdb.Client, *publicdb.School, *publicdb.Domain) error) error {
	return p.changeLive(ctx, schoolID, func(tx *publicdb.Client, school *publicdb.School) error {
		row, err := tx.Domain.Query().Where(domain.ID(id), domain.TenantID(schoolID)).Only(ctx)
		if err != nil {
			return notFound(err, "domain of this school")
		}
		return do(tx, school, row)
	})
}

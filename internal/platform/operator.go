package platform

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operator"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// OperatorChange is what of an operator may be changed.
type OperatorChange struct {
	Email    string
	FullName string
	Role     string
	IsActive bool
}

// NewOperator is what an operator is created from.
type NewOperator struct {
	OperatorChange
	Password auth.PasswordHash // "" for one who only signs in at the identity provider
}

// check also brings the change to its normal form.
func (c *OperatorChange) check() (err error) {
	if c.FullName, err = auth.FullName("body.full_name", c.FullName); err != nil {
		return err
	}
	if operator.RoleValidator(operator.Role(c.Role)) != nil {
		return fault.Invalid("body.role", "This is owner, operator or viewer.")
	}
	c.Email, err = auth.Email("body.email", c.Email)
	return err
}

// Accounts is where operators log in; what happens there is audited as done by the operator, from where
// by says.
func (p *Platform) Accounts(by Actor) auth.Book {
	return auth.Operators(p.registry.Public(), func(ctx context.Context, tx *publicdb.Client, event string, id uuid.UUID) error {
		var details facts
		by.Name = "nobody"
		if id != uuid.Nil {
			by.Name, details = auth.OperatorPrincipal(id, "").Name, facts{"operator": id}
		}
		return audit(ctx, tx, by, "operator."+event, nil, details)
	})
}

var operatorOrder = keyset.Order[publicdb.Operator]{
	Keys: []keyset.Key[publicdb.Operator]{
		{Name: "full_name", Value: func(o *publicdb.Operator) string { return o.FullName }},
		{Name: "email", Value: func(o *publicdb.Operator) string { return o.Email }},
		{Name: "created_at", Value: func(o *publicdb.Operator) string { return keyset.Time(o.CreatedAt) }},
	},
	ID: func(o *publicdb.Operator) uuid.UUID { return o.ID },
}

// Operators returns a page of operators, those who are switched off included, and the cursor of the next
// page.
func (p *Platform) Operators(ctx context.Context, page keyset.Page) ([]*publicdb.Operator, string, error) {
	return keyset.List(ctx, p.registry.Public().Operator.Query(), operatorOrder, page)
}

// Operator returns one operator.
func (p *Platform) Operator(ctx context.Context, id uuid.UUID) (*publicdb.Operator, error) {
	row, err := p.registry.Public().Operator.Get(ctx, id)
	return row, notFound(err, "operator")
}

// OperatorByEmail returns one operator.
func (p *Platform) OperatorByEmail(ctx context.Context, email string) (*publicdb.Operator, error) {
	email, err := auth.Email("body.email", email)
	if err != nil {
		return nil, err
	}
	row, err := p.registry.Public().Operator.Query().Where(operator.Email(email)).Only(ctx)
	return row, notFound(err, "operator")
}

// CreateOperator adds an operator. An e-mail address that another has is a Conflict. An operator may do
// everything of their role, so an actor with scopes needs all of its to make, change or let in one.
func (p *Platform) CreateOperator(ctx context.Context, by Actor, n NewOperator) (row *publicdb.Operator, err error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	if err := by.mayGive(auth.RoleScopes(n.Role)); err != nil {
		return nil, err
	}
	err = p.inTx(ctx, func(tx *publicdb.Client) error {
		create := tx.Operator.Create().SetEmail(n.Email).SetFullName(n.FullName).SetRole(operator.Role(n.Role)).SetIsActive(n.IsActive)
		if n.Password != "" {
			create.SetPasswordHash(string(n.Password))
		}
		if row, err = create.Save(ctx); err != nil {
			return err
		}
		return audit(ctx, tx, by, "operator.create", nil, changed(nil, operatorFacts(row)))
	})
	return row, err
}

// UpdateOperator changes an operator, whose rights change with the next request. The last active owner
// stays one: else it is a Conflict.
func (p *Platform) UpdateOperator(ctx context.Context, by Actor, id uuid.UUID, edit func(*publicdb.Operator) (OperatorChange, error)) (*publicdb.Operator, error) {
	return p.updateOperator(ctx, by, id, func(row *publicdb.Operator) (OperatorChange, error) {
		change, err := edit(row)
		if err == nil {
			err = by.mayGive(slices.Concat(auth.RoleScopes(row.Role.String()), auth.RoleScopes(change.Role)))
		}
		return change, err
	})
}

func (p *Platform) updateOperator(ctx context.Context, by Actor, id uuid.UUID, edit func(*publicdb.Operator) (OperatorChange, error)) (row *publicdb.Operator, err error) {
	err = p.changeOperator(ctx, id, func(tx *publicdb.Client, old *publicdb.Operator, last bool) error {
		change, err := edit(old)
		if err != nil {
			return err
		}
		if err := change.check(); err != nil {
			return err
		}
		if last && (!change.IsActive || change.Role != auth.RoleOwner) {
			return fault.New(fault.Conflict, "This is the last active owner: make another one first.")
		}
		row, err = tx.Operator.UpdateOne(old).SetEmail(change.Email).SetFullName(change.FullName).SetRole(operator.Role(change.Role)).SetIsActive(change.IsActive).Save(ctx)
		if err != nil {
			return err
		}
		if !row.IsActive {
			if err := auth.SignOut(ctx, tx, id, p.now()); err != nil {
				return err
			}
		}
		details := changed(operatorFacts(old), operatorFacts(row))
		details["changed"] = changedFields(map[string][2]*string{"email": {&old.Email, &row.Email}, "full_name": {&old.FullName, &row.FullName}})
		return audit(ctx, tx, by, "operator.update", nil, details)
	})
	return row, err
}

// errOff says that an operator is switched off already. It is never shown.
var errOff = errors.New("the operator is switched off already")

// DisableOperator switches an operator off, which gives nobody anything. The row stays, for the audit. Doing
// it again changes nothing.
// check may refuse, given the row as it is at that moment.
func (p *Platform) DisableOperator(ctx context.Context, by Actor, id uuid.UUID, check func(*publicdb.Operator) error) error {
	_, err := p.updateOperator(ctx, by, id, func(row *publicdb.Operator) (OperatorChange, error) {
		err := check(row)
		if err == nil && !row.IsActive {
			err = errOff
		}
		return OperatorChange{row.Email, row.FullName, row.Role.String(), false}, err
	})
	if errors.Is(err, errOff) {
		return nil
	}
	return err
}

// SetOperatorPassword gives an operator a password and ends all that they are signed in to.
func (p *Platform) SetOperatorPassword(ctx context.Context, by Actor, id uuid.UUID, password auth.PasswordHash) error {
	return p.changeOperator(ctx, id, func(tx *publicdb.Client, old *publicdb.Operator, _ bool) error {
		if err := by.mayGive(auth.RoleScopes(old.Role.String())); err != nil {
			return err
		}
		if err := tx.Operator.UpdateOne(old).SetPasswordHash(string(password)).Exec(ctx); err != nil {
			return err
		}
		if err := auth.SignOut(ctx, tx, id, p.now()); err != nil {
			return err
		}
		return audit(ctx, tx, by, "operator.password", nil, facts{"operator": id})
	})
}

// changeOperator calls do with an operator, and whether that is the last active owner. Neither changes
// until do returns: the owners are locked first, always in the same order.
func (p *Platform) changeOperator(ctx context.Context, id uuid.UUID, do func(tx *publicdb.Client, row *publicdb.Operator, last bool) error) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		owners, err := tx.Operator.Query().Where(operator.RoleEQ(operator.RoleOwner), operator.IsActive(true)).Order(operator.ByID()).ForUpdate().All(ctx)
		if err != nil {
			return err
		}
		row, err := tx.Operator.Query().Where(operator.ID(id)).ForUpdate().Only(ctx)
		if err != nil {
			return notFound(err, "operator")
		}
		return do(tx, row, len(owners) == 1 && owners[0].ID == id)
	})
}

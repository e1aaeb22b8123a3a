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

// Operator is a person who may use the API.
type Operator struct {
	ID          uuid.UUID  `json:"id" format:"uuid"`
	Email       string     `json:"email" example:"ada@example.org"`
	FullName    string     `json:"full_name" example:"Ada Lovelace"`
	Role        string     `json:"role" enum:"owner,operator,viewer"`
	IsActive    bool       `json:"is_active" doc:"false: may not use the API."`
	HasPassword bool       `json:"has_password" doc:"false: signs in at the identity provider alone."`
	LastLoginAt *time.Time `json:"last_login_at" doc:"With the password."`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// OperatorOf is an operator as the API shows it.
func OperatorOf(o *publicdb.Operator) Operator {
	return Operator{o.ID, o.Email, o.FullName, o.Role.String(), o.IsActive, o.PasswordHash != nil, o.LastLoginAt, o.CreatedAt, o.UpdatedAt}
}

// OperatorCreateInput is what an operator is created from.
type OperatorCreateInput struct {
	Email    string  `json:"email" minLength:"3" maxLength:"254" example:"ada@example.org"`
	FullName string  `json:"full_name" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Role     string  `json:"role" enum:"owner,operator,viewer" doc:"A viewer only reads; owners also look after operators and keys, and purge schools."`
	Password *string `json:"password,omitempty" minLength:"12" maxLength:"128" format:"password" doc:"At least 12 characters, and none of the passwords that anybody would try first. Default: none, for those who sign in at the identity provider."`
}

// OperatorInput is what of an operator may be changed.
type OperatorInput struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" example:"ada@example.org"`
	FullName string `json:"full_name" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Role     string `json:"role" enum:"owner,operator,viewer"`
	IsActive *bool  `json:"is_active,omitempty" default:"true"` // huma takes a plain false for none
}

// PasswordInput is a new password.
type PasswordInput struct {
	Password string `json:"password" minLength:"12" maxLength:"128" format:"password" doc:"At least 12 characters, and none of the passwords that anybody would try first."`
}

// OperatorPath names an operator.
type OperatorPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// OperatorTarget names an operator who is to be changed.
type OperatorTarget struct {
	OperatorPath
	wire.IfMatch
}

func operatorItem(row *publicdb.Operator, err error) (*wire.Item[Operator], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewShown(OperatorOf(row), row.UpdatedAt), nil
}

func (s Service) registerOperators(api huma.API) {
	const tag, all, one = "Operators", "/operators/", "/operators/{id}/"
	huma.Register(api, operation("list-operators", http.MethodGet, all, tag, "List operators", "operators:read"),
		func(ctx context.Context, in *struct {
			wire.PageInput
			Sort string `query:"sort" enum:"full_name,-full_name,email,-email,created_at,-created_at" default:"full_name" doc:"- before the name: descending."`
		},
		) (*wire.PageOutput[Operator], error) {
			rows, next, err := s.Platform.Operators(ctx, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, OperatorOf)
		})
	huma.Register(api, operation("create-operator", http.MethodPost, all, tag, "Create an operator", "operators:write"), s.createOperator)
	huma.Register(api, operation("get-operator", http.MethodGet, one, tag, "Get an operator", "operators:read"),
		func(ctx context.Context, in *OperatorPath) (*wire.Item[Operator], error) {
			return operatorItem(s.Platform.Operator(ctx, in.ID))
		})
	update := operation("update-operator", http.MethodPatch, one, tag, "Change an operator", "operators:write")
	update.Description = "Counts from the operator's next request on. The last active owner stays one."
	huma.Register(api, update, s.updateOperator)
	disable := operation("disable-operator", http.MethodDelete, one, tag, "Switch an operator off", "operators:write")
	disable.Description = "The operator is out at once, and stays in the list with is_active false. The last active owner can't be switched off."
	huma.Register(api, disable, func(ctx context.Context, in *OperatorTarget) (*struct{}, error) {
		return nil, s.Platform.DisableOperator(ctx, actor(ctx), in.ID, func(row *publicdb.Operator) error { return in.Check(row.UpdatedAt) })
	})
	password := operation("set-operator-password", http.MethodPost, one+"password/", tag, "Give an operator a password", "operators:write")
	password.Description = "Ends all that the operator is logged in to, within 10 minutes."
	password.DefaultStatus = http.StatusNoContent
	huma.Register(api, password, s.setOperatorPassword)
}

func (s Service) createOperator(ctx context.Context, in *struct{ Body OperatorCreateInput }) (*wire.Created[Operator], error) {
	b := in.Body
	n := platform.NewOperator{OperatorChange: platform.OperatorChange{Email: b.Email, FullName: b.FullName, Role: b.Role, IsActive: true}}
	var err error
	if b.Password != nil {
		if n.Password, err = s.Desk.Passwords.Hash(ctx, "body.password", *b.Password, b.Email, b.FullName); err != nil {
			return nil, err
		}
	}
	row, err := s.Platform.CreateOperator(ctx, actor(ctx), n)
	if err != nil {
		return nil, err
	}
	return wire.NewCreated(OperatorOf(row), row.UpdatedAt, root+"/operators/"+row.ID.String()+"/"), nil
}

func (s Service) updateOperator(ctx context.Context, in *struct {
	OperatorTarget
	Body wire.Patch[OperatorInput]
},
) (*wire.Item[Operator], error) {
	return operatorItem(s.Platform.UpdateOperator(ctx, actor(ctx), in.ID, func(row *publicdb.Operator) (platform.OperatorChange, error) {
		if err := in.Check(row.UpdatedAt); err != nil {
			return platform.OperatorChange{}, err
		}
		b, err := in.Body.Apply(OperatorInput{row.Email, row.FullName, row.Role.String(), &row.IsActive})
		return platform.OperatorChange{Email: b.Email, FullName: b.FullName, Role: b.Role, IsActive: value(b.IsActive)}, err
	}))
}

func (s Service) setOperatorPassword(ctx context.Context, in *struct {
	OperatorPath
	Body PasswordInput
},
) (*struct{}, error) {
	row, err := s.Platform.Operator(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	hash, err := s.Desk.Passwords.Hash(ctx, "body.password", in.Body.Password, row.Email, row.FullName)
	if err != nil {
		return nil, err
	}
	return nil, s.Platform.SetOperatorPassword(ctx, actor(ctx), row.ID, hash)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

type operatorCommand struct {
	Create  operatorCreate  `cmd:"" help:"Add a person who may use the system API."`
	List    operatorList    `cmd:"" help:"All operators."`
	Disable operatorDisable `cmd:"" help:"Switch an operator off."`
}

type operatorCreate struct {
	config.Platform
	Email        string `required:"" help:"The e-mail address to log in with."`
	Name         string `required:"" help:"The full name."`
	Role         string `enum:"owner,operator,viewer" default:"viewer" help:"owner, operator or viewer." placeholder:"ROLE"`
	PasswordFile string `xor:"password" help:"File that holds the password (default: asked for on a terminal, else the first line of the input)." placeholder:"PATH"`
	NoPassword   bool   `xor:"password" help:"Without a password: the operator signs in at the identity provider."`
}

func (o operatorCreate) Run(c *console, database *config.Database) error {
	n := platform.NewOperator{OperatorChange: platform.OperatorChange{Email: o.Email, FullName: o.Name, Role: o.Role, IsActive: true}}
	if !o.NoPassword {
		password, err := o.password(c)
		if err != nil {
			return err
		}
		if n.Password, err = auth.NewPasswords().Hash(c.ctx, "password", password, o.Email, o.Name); err != nil {
			return err
		}
	}
	return atPlace(c, database, o.Platform, func(p *place) error {
		row, err := p.platform.CreateOperator(c.ctx, platform.Shell, n)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, row.ID)
		return err
	})
}

// password is never an argument: those are in the shell's history, and in the list of processes.
func (o operatorCreate) password(c *console) (string, error) {
	if o.PasswordFile != "" {
		text, err := os.ReadFile(o.PasswordFile)
		return strings.TrimRight(string(text), "\r\n"), err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		line, err := typed(c)
		return strings.TrimRight(line, "\r\n"), err
	}
	first, err := hidden(c, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := hidden(c, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

type operatorList struct {
	output
	config.Platform
}

func (o operatorList) Run(c *console, database *config.Database) error {
	return atPlace(c, database, o.Platform, func(p *place) error {
		var operators []systemapi.Operator
		err := everyPage(func(page keyset.Page) ([]*publicdb.Operator, string, error) { return p.platform.Operators(c.ctx, page) },
			func(row *publicdb.Operator) { operators = append(operators, systemapi.OperatorOf(row)) })
		if err != nil {
			return err
		}
		return list(c.stdout, o.Output, operators, []string{"id", "email", "name", "role", "active", "created", "last login"}, func(o systemapi.Operator) []string {
			return []string{o.ID.String(), o.Email, o.FullName, o.Role, strconv.FormatBool(o.IsActive), day(&o.CreatedAt), day(o.LastLoginAt)}
		})
	})
}

type operatorDisable struct {
	config.Platform
	Email string `arg:"" help:"The operator's e-mail address."`
}

func (o operatorDisable) Run(c *console, database *config.Database) error {
	return atPlace(c, database, o.Platform, func(p *place) error {
		row, err := p.platform.OperatorByEmail(c.ctx, o.Email)
		if err != nil {
			return err
		}
		if err := p.platform.DisableOperator(c.ctx, platform.Shell, row.ID, func(*publicdb.Operator) error { return nil }); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, "disabled")
		return err
	})
}

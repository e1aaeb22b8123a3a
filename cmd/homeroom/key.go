package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

type keyCommand struct {
	Create keyCreate `cmd:"" help:"Create an API key of the system API and print it, this once."`
	List   keyList   `cmd:"" help:"All API keys, without their secrets."`
	Revoke keyRevoke `cmd:"" help:"End an API key."`
}

type keyCreate struct {
	config.Platform
	Name    string        `required:"" help:"What the key is for."`
	Role    string        `enum:"owner,operator,viewer" default:"owner" help:"owner, operator or viewer." placeholder:"ROLE"`
	Scopes  []string      `name:"scope" sep:"none" help:"What it is narrowed to, such as schools:read; may be given several times (default: everything of its role)." placeholder:"SCOPE"`
	Expires time.Duration `help:"How long it lasts (default: for ever)." placeholder:"DURATION"`
}

func (k keyCreate) Run(c *console, database *config.Database) error {
	return atPlace(c, database, k.Platform, func(p *place) error {
		n := platform.NewKey{Name: k.Name, Role: k.Role, Scopes: k.Scopes}
		if k.Expires != 0 {
			expires := time.Now().Add(k.Expires)
			n.ExpiresAt = &expires
		}
		_, token, err := p.platform.CreateKey(c.ctx, platform.Shell, n)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, token)
		return err
	})
}

type keyList struct {
	output
	config.Platform
}

func (k keyList) Run(c *console, database *config.Database) error {
	return atPlace(c, database, k.Platform, func(p *place) error {
		var keys []systemapi.APIKey
		err := everyPage(func(page keyset.Page) ([]*publicdb.APIKey, string, error) { return p.platform.Keys(c.ctx, page) },
			func(row *publicdb.APIKey) { keys = append(keys, systemapi.APIKeyOf(row)) })
		if err != nil {
			return err
		}
		return list(c.stdout, k.Output, keys, []string{"id", "name", "role", "scopes", "created", "expires", "last used", "revoked"}, func(k systemapi.APIKey) []string {
			return []string{k.ID.String(), k.Name, k.Role, cmp.Or(strings.Join(k.Scopes, " "), "-"), day(&k.CreatedAt), day(k.ExpiresAt), day(k.LastUsedAt), day(k.RevokedAt)}
		})
	})
}

// everyPage walks through a list to its end.
func everyPage[R any](get func(keyset.Page) ([]*R, string, error), each func(*R)) error {
	for page := (keyset.Page{Limit: 200}); ; {
		rows, next, err := get(page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			each(row)
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

type keyRevoke struct {
	config.Platform
	ID string `arg:"" help:"The key's id."`
}

func (k keyRevoke) Run(c *console, database *config.Database) error {
	id, err := uuid.Parse(k.ID)
	if err != nil {
		return usage("%q is no id of a key: see \"homeroom key list\"", k.ID)
	}
	return atPlace(c, database, k.Platform, func(p *place) error {
		if err := p.platform.RevokeKey(c.ctx, platform.Shell, id, func(*publicdb.APIKey) error { return nil }); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.stdout, "revoked")
		return err
	})
}

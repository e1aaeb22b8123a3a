package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/auditevent"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/school/demo"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

type devCommand struct {
	config.Platform
	config.Service
}

func (d devCommand) Run(c *console, database *config.Database) (err error) {
	start := time.Now()
	if d.BaseDomain == "" {
		d.BaseDomain = "localhost"
	}
	p, err := open(c.ctx, *database, d.Platform, &d.Service, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	dirs, err := loadDirectories()
	if err != nil {
		return err
	}
	if err := p.onDirect(c.ctx, func(conn *pgx.Conn) error {
		rolled, err := fleet.Rollout{Directory: dirs.tenant, Connect: fleet.Dial(conn.Config().ConnString())}.Run(c.ctx)
		if rolled.Failed > 0 {
			err = errors.New("a school could not be migrated: see \"homeroom migrate apply\"")
		}
		return err
	}); err != nil {
		return err
	}
	if err := seed(c, p); err != nil {
		return err
	}
	key, err := p.devKey(c, database.DataDir)
	if err != nil {
		return err
	}
	if p.checked.SigningKeys == nil {
		key, err := devSigningKey(database.DataDir)
		if err != nil {
			return err
		}
		p.checked.SigningKeys = [][]byte{key}
	}
	return serve(c, p, d.Service, key, func(url string) {
		_, _ = fmt.Fprint(c.stdout, welcome(url, p.checked.BaseDomain, key, time.Since(start)))
	})
}

// seed makes the demo schools, each with its data or not at all. One that somebody has purged stays
// away.
func seed(c *console, p *place) error {
	for _, s := range demo.Schools() {
		known, err := p.registry.Public().AuditEvent.Query().Where(auditevent.SchoolCode(s.Code)).Exist(c.ctx)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		_, _ = fmt.Fprintf(c.stderr, "making the demo school %s ...\n", s.Name)
		_, err = p.platform.Create(c.ctx, platform.Shell, platform.NewSchool{
			Name: s.Name, Code: s.Code,
			Fill: func(tx *tenancy.Tx, row *publicdb.School) error {
				return demo.Seed(c.ctx, tx.Schema(row.SchemaName), s, time.Now())
			},
		})
		if err != nil {
			return fmt.Errorf("making the demo school %s: %w", s.Name, err)
		}
	}
	return nil
}

// devKey is the system key of dev, the same at each start: it lies in the data folder.
func (p *place) devKey(c *console, dir string) (string, error) {
	path := filepath.Join(dir, "system.key")
	text, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(text))
		if _, err := auth.ByKey(c.ctx, p.registry.Public(), p.registry.APIKey, token, time.Now()); err == nil {
			return token, nil
		} else if !fault.Is(err, fault.Unauthenticated) {
			return "", err
		}
	}
	_, token, err := p.platform.CreateKey(c.ctx, platform.Shell, platform.NewKey{Name: "dev", Role: auth.RoleOwner})
	if err != nil {
		return "", err
	}
	return token, keep(path, token)
}

// devSigningKey keeps tokens good from one start of dev to the next.
func devSigningKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "signing.key")
	if text, err := os.ReadFile(path); err == nil {
		if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text))); err == nil && len(key) == 32 {
			return key, nil
		}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key, keep(path, base64.StdEncoding.EncodeToString(key))
}

// keep writes a secret for its owner alone.
func keep(path, secret string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the account that runs PostgreSQL passes through
		return err
	}
	return os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

func welcome(url, baseDomain, key string, took time.Duration) string {
	var b strings.Builder
	port := url[strings.LastIndexByte(url, ':'):]
	fmt.Fprintf(&b, "\nhomeroom is ready after %.1f s.\n\n", took.Seconds())
	fmt.Fprintf(&b, "  System API   http://localhost%s/docs\n", port)
	for _, s := range demo.Schools() {
		fmt.Fprintf(&b, "  %-12s http://%s.%s%s/docs\n", s.Code, s.Code, baseDomain, port)
	}
	fmt.Fprintf(&b, "  System key   %s\n\n", key)
	fmt.Fprintf(&b, "Try:\n  curl -H 'Authorization: Bearer %s' http://localhost%s/api/v1/system/schools/\n", key, port)
	b.WriteString("  bin/homeroom school impersonate greenwood --reason 'a first look'    # for the school's own API\n\nStop with Ctrl-C; the data stays.\n\n")
	return b.String()
}

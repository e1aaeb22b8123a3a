package main

import (
	"context"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/atlas"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/httpapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// publicHost is the host of the system API.
const publicHost = "localhost"

// signingKey signs the tokens of the requests; the server and whoever sends requests know it.
var signingKey = make([]byte, 32)

// product does the work as the service does it.
type product struct {
	registry *tenancy.Registry
	clients  []*tenantdb.Client // of the schools, by number
}

func newProduct(ctx context.Context, url, name string, schools []school) (side, error) {
	var t turns
	pools, err := postgres.NewPools(url+"&application_name="+name, 20) // as the service does unless it is told otherwise
	if err != nil {
		return side{}, err
	}
	pools.Wrap = t.count
	migrations, err := fleet.Load(atlas.Tenant())
	if err != nil {
		return side{}, err
	}
	p := &product{registry: tenancy.New(pools, tenancy.Options{Roles: true, Requires: migrations.Requires()})}
	p.registry.LimitSchools(10)             // as the service does, too
	debug.SetGCPercent(400)                 // as the service does
	go func() { _ = p.registry.Run(ctx) }() // to its end, as the process
	for _, s := range schools {
		tenant, err := p.registry.ByHost(ctx, s.Host)
		if err != nil {
			return side{}, err
		}
		p.clients = append(p.clients, tenant.DB)
	}
	tokens, err := auth.NewTokens(signingKey, time.Now)
	if err != nil {
		return side{}, err
	}
	handler := httpapi.New(httpapi.Settings{
		PublicHosts: []string{publicHost}, Version: "bench",
		Log:    zerolog.New(io.Discard).Level(zerolog.InfoLevel).With().Timestamp().Logger(),
		Limits: ratelimit.New(1_000_000, 100), // counted as in the service, and not met
		Ready:  p.registry.Ping,
	}, p.registry, systemapi.Service{
		Platform: platform.New(p.registry, migrations, platform.Settings{}, time.Now),
		Public:   p.registry.Public(), Desk: &auth.Desk{Tokens: tokens, Passwords: auth.NewPasswords()}, Now: time.Now,
	})
	return side{operations: map[string]operation{
		read: p.read, list: p.list, insert: p.insert, transaction: p.transaction, resolve: p.resolve,
	}, serve: func(ctx context.Context, l net.Listener) error {
		return httpapi.Serve(ctx, l, handler, time.Second)
	}, trips: t.n.Load}, nil
}

func (p *product) read(ctx context.Context, s school, n int) error {
	_, err := p.clients[s.Number].Student.Get(ctx, s.studentID(n))
	return err
}

func (p *product) list(ctx context.Context, s school, _ int) error {
	found, err := p.clients[s.Number].Student.Query().Order(student.ByLastName(), student.ByID()).Limit(pageSize).All(ctx)
	return count(len(found), err)
}

func (p *product) insert(ctx context.Context, s school, _ int) error {
	return p.clients[s.Number].Guardian.Create().SetFullName("Amina Okafor").SetPhone("+254 712 345678").Exec(ctx)
}

func (p *product) transaction(ctx context.Context, s school, n int) error {
	return tenancy.InTx(ctx, p.clients[s.Number], func(tx *tenantdb.Client) error {
		found, err := tx.Student.Get(ctx, s.studentID(n))
		if err != nil {
			return err
		}
		if err := tx.Guardian.Create().SetFullName(found.LastName).SetPhone("+254 712 345678").Exec(ctx); err != nil {
			return err
		}
		return tx.Student.Update().Where(student.ID(found.ID)).SetPhone("+254 712 345678").Exec(ctx)
	})
}

// resolveBatch is how many resolutions make one operation: choosing a school costs as much as a few.
const resolveBatch = 100

func (p *product) resolve(ctx context.Context, s school, _ int) error {
	for range resolveBatch {
		if _, err := p.registry.ByHost(ctx, s.Host); err != nil {
			return err
		}
	}
	return nil
}

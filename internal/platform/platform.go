// Package platform is a school's life on the platform: creation, domains, onboarding, suspension,
// deletion; the contacts that lead to it; and the keys of those who look after all that.
package platform

import (
	"context"
	"time"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// Settings are what the platform's rules depend on.
type Settings struct {
	BaseDomain  string   // a new school with no domain gets <code>.<base domain>; "" for none
	PublicHosts []string // normalised; no school may have one of these as its domain
	TenantRoles bool     // a new school gets a PostgreSQL role of its own
}

// Platform does what the system API and the commands ask for.
type Platform struct {
	registry *tenancy.Registry
	tenant   *fleet.Directory // a school's migrations
	settings Settings
	now      func() time.Time

	making chan struct{} // see makingAtOnce
}

// makingAtOnce is how many schools are created on other databases at once: each holds a connection beside
// the pools, and one of theirs, for which those that serve must not wait.
const makingAtOnce = 2

// New returns the platform whose schools get the tables that tenant describes.
func New(registry *tenancy.Registry, tenant *fleet.Directory, settings Settings, now func() time.Time) *Platform {
	return &Platform{registry, tenant, settings, now, make(chan struct{}, makingAtOnce)}
}

// inTx runs do in one transaction on the platform's own tables.
func (p *Platform) inTx(ctx context.Context, do func(*publicdb.Client) error) error {
	return p.registry.InTx(ctx, func(tx *tenancy.Tx) error { return do(tx.Public()) })
}

// notFound puts ent's "not found" into words; any other error comes back untouched.
func notFound(err error, noun string) error {
	if publicdb.IsNotFound(err) {
		return fault.New(fault.NotFound, "There is no such %s.", noun)
	}
	return err
}

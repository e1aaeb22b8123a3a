package tenancy

import (
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// NewOver lets a test stand between a registry and its primary database.
func NewOver(pools *postgres.Pools, primary entpgx.Pool, direct func() (*pgx.ConnConfig, error)) *Registry {
	return newRegistry(pools, primary, direct, Options{Roles: true})
}

// Require lets a test be a program that requires a revision. It goes before the first look-up.
func (r *Registry) Require(version string) { r.options.Requires = version }

// Trusts lets a test wait until changes are heard, or are not.
func (r *Registry) Trusts() bool { return r.memory.trust.get() == trusted }

// Beat lets a test pass beats of the listener.
func (r *Registry) Beat(n uint32) { r.memory.beats.Add(n) }

// CutOff lets a test wait until the database counts as gone.
func (r *Registry) CutOff() bool { return r.memory.trust.get() == cutOff }

// Remembered counts the hosts that lead somewhere and those that do not.
func (r *Registry) Remembered() (known, unknown int) {
	r.hosts.known.CleanUp()
	r.hosts.unknown.CleanUp()
	return r.hosts.known.EstimatedSize(), r.hosts.unknown.EstimatedSize()
}

const (
	MostUnknown = mostUnknown
	RowBeats    = rowBeats
)

// Package postgres knows the server: pools, identifiers, and what its errors mean.
package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Ident quotes a name as an SQL identifier (PostgreSQL manual, 4.1.1).
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal quotes a text as an SQL string constant that no setting changes the meaning of
// (PostgreSQL manual, 4.1.2.2).
func Literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// open reads how to connect to the database at url, over at most maxConns connections. It does not
// connect yet.
func open(url string, maxConns int32) (*homes, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	config.MaxConns = maxConns
	config.MaxConnIdleTime = 5 * time.Minute
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	configure(config.ConnConfig)
	return newHomes(config), nil
}

// adapt takes what the URL says of a pooler out of the settings, and reports whether it announces one in
// transaction mode (?pool_mode=transaction). Such a pooler knows no statements by name.
func adapt(config *pgx.ConnConfig) (transactions bool) {
	mode := config.RuntimeParams["pool_mode"]
	delete(config.RuntimeParams, "pool_mode")
	delete(config.RuntimeParams, "direct") // see Registration.Direct
	if mode != "transaction" {
		return false
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return true
}

// NewPool returns a pool beside [Pools], for a library that wants one of its own. It gives its statements no
// names, so a pooler may stand before the database. It does not connect yet.
func NewPool(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	config.MaxConns = maxConns
	configure(config.ConnConfig)
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgxpool.NewWithConfig(ctx, config)
}

// Connect opens a connection of its own to the database at url, for work beside the pools.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	adapt(config)
	return pgx.ConnectConfig(ctx, config)
}

// configure says what holds for every connection of the pools. Its own search_path is empty: a
// statement that says no school finds no table. A pooler in transaction mode refuses such settings:
// there they must be the login's (ALTER ROLE ... SET).
func configure(config *pgx.ConnConfig) {
	config.ConnectTimeout = acquireTimeout
	params := config.RuntimeParams
	transactions := adapt(config)
	if params["application_name"] == "" {
		params["application_name"] = "homeroom"
	}
	params["timezone"] = "UTC"
	if transactions {
		return
	}
	params["search_path"] = ""
	params["lock_timeout"] = "10s"
	params["statement_timeout"] = "60s"
	params["idle_in_transaction_session_timeout"] = "60s"
}

// ConnConfig returns how to connect to the database at url beside the pools, as they do.
func ConnConfig(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	configure(config)
	return config, nil
}

// Same reports whether two connections lead to the same database of the same server, a replica not being
// the same: whether one sees the other's lock.
func Same(ctx context.Context, a, b *pgx.Conn) (bool, error) {
	tx, err := a.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	const names = "hashtextextended('homeroom_same ' || $1, 0)"
	name, free := rand.Text(), false
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock("+names+")", name); err != nil {
		return false, err
	}
	err = b.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock("+names+")", name).Scan(&free)
	return !free, err
}

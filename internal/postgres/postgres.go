// Package postgres knows the server: pools, identifiers, and what its errors mean.
package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
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

// Open makes a pool of at most maxConns connections to the database at url. It does not connect
// yet. The connections' own search_path is empty: a statement that says no school finds no table.
func Open(url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	config.MaxConns = maxConns
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	params := config.ConnConfig.RuntimeParams
	params["search_path"] = ""
	params["application_name"] = "homeroom"
	params["timezone"] = "UTC"
	params["lock_timeout"] = "10s"
	params["statement_timeout"] = "60s"
	params["idle_in_transaction_session_timeout"] = "60s"
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		// Else times are read in the zone of this process.
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}
	return pgxpool.NewWithConfig(context.Background(), config)
}

// acquireTime is how long to wait for a connection: longer than a burst lasts, shorter than a
// caller's patience.
const acquireTime = 5 * time.Second

// Pool is a pool of connections that lets nobody wait for one without end.
type Pool struct {
	*pgxpool.Pool
	Wait time.Duration // at most; 5 s if zero
}

// Acquire takes a connection. When none is free or can be made in time, the error is
// DatabaseUnavailable.
func (p Pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.Wait, acquireTime))
	defer cancel()
	conn, err := p.Pool.Acquire(ctx)
	return conn, Fault(err)
}

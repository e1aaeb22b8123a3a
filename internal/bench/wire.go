package main

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// turns counts round trips: how often a connection that had been written to was then read from. An
// atomic addition more or less is beyond what can be measured, so it counts all the time.
type turns struct{ n atomic.Int64 }

func (t *turns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return t.count(conn), err
}

// count wraps a connection so that its round trips are counted.
func (t *turns) count(conn net.Conn) net.Conn { return &turning{Conn: conn, turns: t} }

// turning is a connection.
type turning struct {
	net.Conn
	turns *turns
	wrote atomic.Bool // pgx may read from another goroutine while a write is slow
}

// Write notes that an answer is to come.
func (c *turning) Write(p []byte) (int, error) {
	c.wrote.Store(true)
	return c.Conn.Write(p)
}

// Read counts the answer.
func (c *turning) Read(p []byte) (int, error) {
	if c.wrote.Swap(false) {
		c.turns.n.Add(1)
	}
	return c.Conn.Read(p)
}

// openPool opens a pool of pgx's own for the floor, whose connections are counted and bear a name.
func openPool(ctx context.Context, url, name string, t *turns) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = workers
	config.ConnConfig.DialFunc = t.dial
	config.ConnConfig.RuntimeParams["application_name"] = name
	return pgxpool.NewWithConfig(ctx, config)
}

package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// errPooled is why there is no session: a pooler may hand each transaction to another server process, so
// what a session holds or hears is nobody's.
var errPooled = errors.New("a connection pooler stands before the database")

// sessionTime bounds opening a session, and closing it.
const sessionTime = 5 * time.Second

// session opens a connection beside the pools that is one session from its beginning to its end.
func session(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	pooled, err := entpgx.Pooled(ctx, conn)
	if err == nil && pooled {
		err = errPooled
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// OnSession is OnConn for what needs a session, such as a lock that outlasts a transaction: it connects
// beside the pools, and past a pooler where that way is known. Where it isn't, that is a Conflict.
func (r *Registry) OnSession(ctx context.Context, name string, do func(*pgx.Conn) error) error {
	opening, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	config, err := r.sessionConfig(opening, name)
	if err != nil {
		return postgres.Fault(err)
	}
	conn, err := session(opening, config)
	if errors.Is(err, errPooled) {
		way := "its URL must say ?direct=host:port"
		if name == postgres.Primary {
			way = "HOMEROOM_DIRECT_DATABASE_URL must be given"
		}
		return fault.New(fault.Conflict, "This can't be done through the connection pooler before the database %s: %s.", name, way).Because(err)
	}
	if err != nil {
		return postgres.Fault(err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionTime)
		defer cancel()
		_ = conn.Close(closing)
	}()
	return do(conn)
}

func (r *Registry) sessionConfig(ctx context.Context, name string) (*pgx.ConnConfig, error) {
	if name == postgres.Primary {
		return r.direct()
	}
	registration, err := r.addresses.registration(ctx, name)
	if err != nil {
		return nil, err
	}
	address, err := registration.Direct().Address("")
	if err != nil {
		return nil, err
	}
	return postgres.ConnConfig(address)
}

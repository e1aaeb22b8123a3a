package entpgx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
)

// deaf is a connection that ends, while armed, with the answer to a COMMIT.
type deaf struct {
	net.Conn
	armed *atomic.Bool
}

func (d deaf) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if bytes.Contains(p[:n], []byte("COMMIT\x00")) && d.armed.CompareAndSwap(true, false) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestLostAnswer holds that a commit whose answer is lost is told as such and never as one to be tried again,
// and that a refused one is not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	var told atomic.Int32
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	options := entpgx.Options{Unanswered: func(ctx context.Context) {
		if ctx.Value(key{}) == "mine" {
			told.Add(1)
		}
	}}
	url := database(t)
	script(t, url, "CREATE SCHEMA a; CREATE TABLE a.t (v int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	db, _ := open(t, url, options, func(c *pgxpool.Config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return deaf{conn, &armed}, err
		}
	})
	drv := db.Driver(scope("a"))
	insert := func() error {
		tx, err := drv.Tx(ctx)
		must(t, err)
		must(t, tx.Exec(ctx, "INSERT INTO t VALUES (1)", []any{}, nil))
		return tx.Commit()
	}
	armed.Store(true)
	if err := insert(); !errors.Is(err, entpgx.ErrUnanswered) || pgconn.SafeToRetry(err) || told.Load() != 1 {
		t.Errorf("answer lost: %v, told %d times", err, told.Load())
	}
	if got := value(drv, "SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows", got)
	}
	if err := insert(); sqlState(err) != "23505" || errors.Is(err, entpgx.ErrUnanswered) || told.Load() != 1 {
		t.Errorf("refused: %v, told %d times", err, told.Load())
	}
}

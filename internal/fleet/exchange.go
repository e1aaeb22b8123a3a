package fleet

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// exchange is one message and what the server answers. pgconn's own reading of several statements knows no
// COPY.
type exchange struct {
	parts   []line
	done    int // of the parts
	history []revision
	raced   bool // the history is not what it is believed to be
}

// cancelTimeout bounds the attempt to stop what the server is doing for us.
const cancelTimeout = 5 * time.Second

// run sends the message and returns the server's error, or the connection's, which is closed then: nothing
// is committed without a row that we send last.
func (e *exchange) run(ctx context.Context, pg *pgconn.PgConn) (failed error) {
	start, out := time.Now(), pg.Frontend()
	// Not by the context: pgconn watches that anew, with a goroutine, for each message.
	stop := context.AfterFunc(ctx, func() { _ = pg.Conn().SetDeadline(start) })
	out.SendQuery(&pgproto3.Query{String: join(e.parts)})
	err := out.Flush()
	for err == nil {
		var message pgproto3.BackendMessage
		if message, err = pg.ReceiveMessage(context.Background()); err != nil {
			break
		}
		switch m := message.(type) {
		case *pgproto3.CommandComplete:
			e.done++
		case *pgproto3.CopyData:
			e.history = append(e.history, pastRow(string(m.Data)))
		case *pgproto3.CopyDone:
			e.raced = !e.check().from.agrees(e.history)
		case *pgproto3.CopyInResponse:
			err = e.goOn(out, time.Since(start))
		case *pgproto3.ErrorResponse:
			failed = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			if !stop() { // no time is left to use it again
				_ = pg.Close(context.WithoutCancel(ctx))
			}
			return failed
		}
	}
	if !stop() {
		err = ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	_ = pg.CancelRequest(ctx)
	_ = pg.Close(ctx)
	return err
}

// check is that of the message, which has one at most.
func (e *exchange) check() *check {
	for _, p := range e.parts {
		if p.check != nil {
			return p.check
		}
	}
	return nil
}

// goOn answers a COPY that takes rows: with the revision's, or with none to be rolled back.
func (e *exchange) goOn(out *pgproto3.Frontend, took time.Duration) error {
	if e.raced {
		out.Send(&pgproto3.CopyFail{Message: "homeroom: another run was faster"})
		return out.Flush()
	}
	if row := e.check().row; row != nil {
		out.Send(&pgproto3.CopyData{Data: []byte(row(took))})
	}
	out.Send(&pgproto3.CopyDone{})
	return out.Flush()
}

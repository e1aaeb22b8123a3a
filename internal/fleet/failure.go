package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Failure is why a schema was not brought to the last revision. It holds no data of the school's.
type Failure struct {
	File      string `json:"file,omitempty"`
	Statement int    `json:"statement,omitempty"` // its number in the file, from 1
	Start     string `json:"start,omitempty"`     // how that statement begins
	SQLState  string `json:"sqlstate,omitempty"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`

	cause error
}

// Error says all of it in a line.
func (f *Failure) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ": ")
	}
	if f.Statement > 0 {
		fmt.Fprintf(&b, "statement %d (%s): ", f.Statement, f.Start)
	}
	b.WriteString(f.Message)
	if f.SQLState != "" {
		b.WriteString(" (SQLSTATE " + f.SQLState + ")")
	}
	if f.Hint != "" {
		b.WriteString(". " + f.Hint)
	}
	return b.String()
}

// Unwrap returns what PostgreSQL, or the connection to it, said.
func (f *Failure) Unwrap() error { return f.cause }

// explain makes a failure of an error, whatever it is.
func explain(err error) *Failure {
	var known *Failure
	if errors.As(err, &known) {
		return known
	}
	meaning := fault.Of(postgres.Fault(err))
	failure := &Failure{Message: meaning.Message, cause: err}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, "22"): // these repeat the value, quoted as the server's language does
		if failure.SQLState = pg.Code; meaning.Kind == fault.Internal {
			failure.Message = "A value is not one that the statement can work with."
		}
	case pg != nil:
		failure.SQLState, failure.Message, failure.Hint = pg.Code, pg.Message, pg.Hint
	case meaning.Kind == fault.Internal:
		failure.Message = err.Error()
	}
	return failure
}

// begins returns how a statement begins, up to the first value in it.
func begins(statement string) string {
	if i := strings.IndexAny(statement, "'($\n"); i >= 0 {
		statement = statement[:i]
	}
	if len(statement) > 60 {
		statement = strings.ToValidUTF8(statement[:60], "")
	}
	return strings.TrimRight(statement, "; \t\r")
}

// Both are temporary: another run has the schema, or has changed it since we looked.
var errRaced = errors.New("another run is at work on this schema")

// send sends the parts as one message. A transaction that it opened does not stay open.
func (f file) send(ctx context.Context, conn *pgx.Conn, parts []line) error {
	e := exchange{parts: parts}
	err := e.run(ctx, conn.PgConn())
	if err == nil {
		return nil
	}
	if status := conn.PgConn().TxStatus(); status != 'I' && !conn.IsClosed() {
		_ = conn.PgConn().Exec(ctx, "ROLLBACK").Close()
	}
	at := f.culprit(err, parts, e.done)
	if e.raced || at.waits && (stateOf(err) == "22P02" || stateOf(err) == "55P03") {
		return errRaced
	}
	failure := explain(err)
	failure.File = f.name
	if at.number > 0 {
		failure.Statement, failure.Start = at.number, begins(at.text)
	}
	return failure
}

// culprit finds the part that failed, after done of them. A mistake in the grammar is found before
// any runs: there PostgreSQL says at which character.
func (f file) culprit(err error, parts []line, done int) line {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return line{}
	case done == 0 && pg.Position > 0:
		end := 0
		for _, p := range parts {
			if end += utf8.RuneCountInString(terminated(p.text)); end >= int(pg.Position) {
				return p
			}
		}
	case done < len(parts) && (f.counted || parts[done].waits):
		return parts[done]
	}
	return line{}
}

func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// temporary reports whether the same may go well in a moment.
func temporary(err error) bool {
	if errors.Is(err, errRaced) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return unreachable(err)
	}
	switch pg.Code {
	case "55P03", "40P01", "40001": // lock_not_available, deadlock_detected, serialization_failure
		return true
	}
	// connection exceptions, operator intervention (but not a cancelled query), insufficient resources
	return unreachable(err) || strings.HasPrefix(pg.Code, "53")
}

// unreachable reports whether the connection is what failed.
func unreachable(err error) bool {
	var failure *Failure
	if errors.As(err, &failure) && failure.cause == nil || errors.Is(err, context.Canceled) {
		return false
	}
	code := stateOf(err)
	return code == "" || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P")
}

// patience says how long temporary failures are borne.
type patience struct {
	tries int
	raced time.Duration
}

const (
	mostTries  = 6
	mostRaced  = time.Minute
	firstPause = 100 * time.Millisecond
	racedPause = 20 * time.Millisecond
)

// wait waits before the next try. It returns err where there is to be none.
func (p *patience) wait(ctx context.Context, err error) error {
	var pause time.Duration
	switch {
	case errors.Is(err, errRaced) && p.raced < mostRaced:
		pause = min(racedPause+p.raced/8, 500*time.Millisecond)
		p.raced += pause
	case !errors.Is(err, errRaced) && temporary(err) && p.tries < mostTries-1:
		pause = firstPause << p.tries
		p.tries++
	default:
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

package platform

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// Check is one thing that was tried of a database.
type Check struct {
	Database string `json:"database"`
	Check    string `json:"check"`
	OK       bool   `json:"ok"`
	Message  string `json:"message"`
}

// What a database may differ and delay by.
const (
	oldestServer = 150000
	maxSkew      = 5 * time.Second
	maxLatency   = 250 * time.Millisecond
	reachTimeout = 5 * time.Second
)

// CheckDatabase tries whether schools can live in a database: whether it can be reached, its version,
// rights, clock and latency. What it tries it takes back. The error is of finding the registration.
func (p *Platform) CheckDatabase(ctx context.Context, name string) ([]Check, error) {
	registration, err := p.Registration(ctx, name)
	if err != nil {
		return nil, err
	}
	checks := checks{database: name}
	address, err := registration.Address("")
	if err != nil {
		return checks.add("reachable", false, "%s", fault.Of(err).Message), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 6*reachTimeout)
	defer cancel()
	connecting, cancelConnecting := context.WithTimeout(ctx, reachTimeout)
	defer cancelConnecting()
	conn, err := postgres.Connect(connecting, address)
	if err != nil {
		return checks.add("reachable", false, "%v", err), nil
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	checks.add("reachable", true, "yes")
	checks.version(ctx, conn)
	checks.rights(ctx, conn, registration)
	checks.session(name, p.registry.OnSession(ctx, name, func(direct *pgx.Conn) error {
		if same, err := postgres.Same(ctx, conn, direct); err != nil || same {
			return err
		}
		return fault.New(fault.Conflict, "The direct address leads to another database.")
	}))
	return checks.time(ctx, conn), nil
}

type checks struct {
	database string
	list     []Check
}

func (c *checks) add(check string, ok bool, format string, args ...any) []Check {
	c.list = append(c.list, Check{c.database, check, ok, fmt.Sprintf(format, args...)})
	return c.list
}

func (c *checks) version(ctx context.Context, conn *pgx.Conn) {
	var number int
	var text string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_version')").Scan(&number, &text); err != nil {
		c.add("version", false, "%v", err)
		return
	}
	c.add("version", number >= oldestServer, "PostgreSQL %s; 15 and newer will do", text)
}

// rights tries to make a schema with a table, and takes it back.
func (c *checks) rights(ctx context.Context, conn *pgx.Conn, registration postgres.Registration) {
	const try = "BEGIN; CREATE SCHEMA homeroom_check; CREATE TABLE homeroom_check.t (id int); ROLLBACK"
	if err := conn.PgConn().Exec(ctx, try).Close(); err != nil {
		_ = conn.PgConn().Exec(ctx, "ROLLBACK").Close()
		c.add("schemas", false, "The login can't make schemas: %v", err)
	} else {
		c.add("schemas", true, "the login can make them")
	}
	if registration.Dedicated {
		return
	}
	var may bool
	if err := conn.QueryRow(ctx, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&may); err != nil {
		c.add("databases", false, "%v", err)
	} else if may {
		c.add("databases", true, "the login can make them")
	} else {
		c.add("databases", true, "the login can't make them: its schools are of isolation schema alone")
	}
}

// session notes whether there is a way to the database on which a session is kept. Without it primary still
// takes schools that share it.
func (c *checks) session(name string, err error) {
	if err == nil {
		c.add("session", true, "is kept, as making schools needs it")
		return
	}
	c.add("session", name == postgres.Primary, "%s", fault.Of(err).Message)
}

// time measures the clock's difference and how long an answer takes, from the quickest of some.
func (c *checks) time(ctx context.Context, conn *pgx.Conn) []Check {
	type sample struct{ took, skew time.Duration }
	var samples []sample
	for range 7 {
		var theirs time.Time
		start := time.Now()
		if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
			return c.add("clock", false, "%v", err)
		}
		took := time.Since(start)
		samples = append(samples, sample{took, theirs.Sub(start.Add(took / 2))})
	}
	slices.SortFunc(samples, func(a, b sample) int { return int(a.took - b.took) })
	best := samples[0]
	c.add("clock", best.skew.Abs() <= maxSkew, "differs by %v; %v will do", best.skew.Abs().Round(time.Millisecond), maxSkew)
	return c.add("latency", best.took <= maxLatency, "%v; %v will do", best.took.Round(10*time.Microsecond), maxLatency)
}

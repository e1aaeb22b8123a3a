package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"
)

const (
	channel      = "homeroom_tenancy" // the triggers of atlas/public and ChangeUser announce changes there
	connectTime  = 2 * time.Second
	leastBackoff = 20 * time.Millisecond
	mostBackoff  = time.Second // bounds how long old answers outlive a database that is back
)

// Run keeps the registry's memory true: it hears of every change that is committed to the database,
// on a connection of its own, and forgets what has changed. Only while it runs is anything
// remembered. When it loses its connection it forgets everything before it trusts anything again;
// until then the database is asked each time, and only while it can't be reached do schools that
// were known go on being served as they were last seen.
//
// It returns nil when ctx ends. The context's logger hears of what goes wrong.
func (r *Registry) Run(ctx context.Context) error {
	defer r.restart(untrusted)
	for backoff := leastBackoff; ; backoff = min(2*backoff, mostBackoff) {
		heard, err := r.listen(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case heard:
			backoff = leastBackoff
		case r.memory.trust.get() == untrusted:
		case unreachable(err):
			r.memory.trust.set(cutOff)
		default:
			r.memory.trust.set(doubted)
		}
		if backoff == leastBackoff { // not every second while it lasts
			zerolog.Ctx(ctx).Warn().Err(err).Msg("changes to schools can't be heard, so they are read anew each time")
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

// listen hears changes until the connection breaks, and reports whether there was one.
func (r *Registry) listen(ctx context.Context) (connected bool, err error) {
	conn, err := r.connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		r.memory.trust.set(doubted) // at once: to close may take a while
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is broken, or the process stops
	}()
	// In this order: what is read from now on is read while its changes are heard.
	r.pools.ForgetOthers() // one of them may have been moved elsewhere
	r.restart(trusted)
	zerolog.Ctx(ctx).Debug().Msg("changes to schools are heard")
	for next := time.Now().Add(beat); ; {
		waiting, cancel := context.WithDeadline(ctx, next)
		message, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			r.heard(message.Payload)
		case ctx.Err() != nil || !pgconn.Timeout(err):
			return true, fmt.Errorf("listening for changes: %w", err)
		default:
			if err := ping(ctx, conn); err != nil {
				return true, err
			}
			r.memory.beats.Add(1)
			next = time.Now().Add(beat)
		}
	}
}

// connect opens a connection that listens.
func (r *Registry) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	config, err := r.direct()
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] += " listener"
	conn, err := session(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// ping finds out whether the connection still leads to a server: one that has silently gone says
// nothing, just like one where nothing changes. So what was changed behind a network that fails
// without a word is served as it was for a beat and connectTime, 7 s, at most.
func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	return conn.Ping(ctx)
}

// unreachable reports whether err means that there is no server to ask, as against one that refuses.
func unreachable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "57P") // it is starting or stopping
	}
	return !errors.Is(err, errPooled)
}

// restart forgets everything.
func (r *Registry) restart(t trust) {
	r.memory.changed(func() {
		r.hosts.clear()
		r.contacts.clear()
		r.keys.known.InvalidateAll()
		r.users.known.InvalidateAll()
		for _, e := range r.memory.schools {
			e.last.Store(nil)
		}
		r.memory.trust.set(t)
	})
}

// heard forgets what a message says has changed, and everything if it says something unknown: a
// newer version may have put it there.
func (r *Registry) heard(payload string) {
	kind, key, _ := strings.Cut(payload, " ")
	switch kind {
	case "school":
		if id, err := uuid.Parse(key); err == nil {
			r.memory.schoolChanged(id)
			return
		}
	case "domain":
		r.hosts.keyChanged(key)
		return
	case "contact":
		r.contacts.keyChanged(key)
		return
	case "key":
		if id, err := uuid.Parse(key); err == nil {
			r.keys.keyChanged(id)
			return
		}
	case "user":
		if k, err := parseUserKey(key); err == nil {
			r.users.keyChanged(k)
			return
		}
	case "database":
		r.pools.Forget(key)
		return
	case "fence":
		if heard, ours := r.fences.LoadAndDelete(key); ours {
			close(heard.(chan struct{})) //nolint:forcetypeassert // InTx put it there
		}
		return
	}
	r.restart(trusted)
}

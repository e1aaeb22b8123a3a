package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/httpapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

type serveCommand struct {
	config.Platform
	config.Service
	Migrate bool `help:"Bring the public schema up to date first."`
}

func (s serveCommand) Run(c *console, database *config.Database) (err error) {
	if database.DatabaseURL == "" && database.DatabaseURLFile == "" {
		return usage("HOMEROOM_DATABASE_URL takes the PostgreSQL to serve, such as postgres://user:password@host:5432/homeroom; for a first look without one, run \"homeroom dev\"")
	}
	p, err := open(c.ctx, *database, s.Platform, &s.Service, s.Migrate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return serve(c, p, s.Service, "", func(string) {})
}

// readiness is the content of the ready file.
type readiness struct {
	URL         string `json:"url"`
	PID         int    `json:"pid"`
	DatabaseURL string `json:"database_url"`
	SystemKey   string `json:"system_key,omitempty"`
}

// collectSeldom lets the heap, which is small here, grow fivefold between collections: at Go's 100 they
// cost a tenth of the CPU. GOGC, if set, decides.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// serve answers requests until the context ends. announce is told the URL once they are answered.
func serve(c *console, p *place, service config.Service, systemKey string, announce func(url string)) error {
	collectSeldom()
	log := logger(c.stderr, p.checked)
	desk, provider, err := newDesk(p.checked, log)
	if err != nil {
		return err
	}
	dirs, err := loadDirectories()
	if err != nil {
		return err
	}
	p.recover(c.ctx, log)
	watcher := platform.NewWatcher(p.platform)
	runner, err := p.background(c.ctx, log)
	if err != nil {
		return err
	}
	handler := httpapi.New(httpapi.Settings{
		PublicHosts: p.checked.PublicHosts, TrustedProxies: p.checked.TrustedProxies, CORSOrigins: p.checked.CORSOrigins, Version: version, Log: log,
		Limits: ratelimit.New(p.checked.RateLimit, p.checked.AnonymousLimit),
		Ready:  func(ctx context.Context) error { return p.ready(ctx, dirs) },
	}, p.registry, systemapi.Service{
		Platform: p.platform, Public: p.registry.Public(), Watcher: watcher, Begin: runner.Begin,
		Desk: desk, Provider: provider, Now: time.Now,
	})
	listener, err := new(net.ListenConfig).Listen(c.ctx, "tcp", service.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", service.Listen, err)
	}
	ready := readiness{URL: "http://" + reachable(listener.Addr()), PID: os.Getpid(), DatabaseURL: p.url, SystemKey: systemKey}
	if service.ReadyFile != "" {
		if err := writeReady(service.ReadyFile, ready); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { _ = os.Remove(service.ReadyFile) }()
	}
	log.Info().Str("url", ready.URL).Str("version", version).Msg("serving")
	announce(ready.URL)
	var work errgroup.Group
	ctx, stop := context.WithCancel(c.ctx)
	defer stop()
	listening, stopListening := context.WithCancel(log.WithContext(context.WithoutCancel(c.ctx)))
	work.Go(func() error { return p.registry.Run(listening) })
	work.Go(func() error { return runner.Run(ctx) })
	work.Go(func() error { return watcher.Run(log.WithContext(ctx)) }) // so streams end when the drain begins
	work.Go(func() error {
		p.recovering(ctx, log)
		return nil
	})
	err = httpapi.Serve(ctx, listener, handler, p.checked.DrainTimeout)
	stop()          // also where the listener has failed
	stopListening() // after the last request: those that drain go on as before
	err = errors.Join(err, work.Wait())
	log.Info().Msg("stopped")
	return err
}

// recoverEvery is how soon creations are cleared up that were cut off by a server which is back now.
const recoverEvery = time.Minute

// recovering clears up creations that were cut off, until ctx ends.
func (p *place) recovering(ctx context.Context, log zerolog.Logger) {
	tick := time.NewTicker(recoverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.recover(ctx, log)
		}
	}
}

func (p *place) recover(ctx context.Context, log zerolog.Logger) {
	if err := p.platform.Recover(ctx); err != nil && ctx.Err() == nil {
		log.Warn().Err(err).Msg("creations that were cut off could not all be cleared up")
	}
}

// ready reports whether the database answers and its public schema is what this program needs.
func (p *place) ready(ctx context.Context, dirs directories) error {
	var state fleet.State
	err := p.registry.OnConn(ctx, postgres.Primary, func(conn *pgx.Conn) (err error) {
		state, err = dirs.public.Status(ctx, conn, publicSchema)
		return err
	})
	if err == nil && len(state.Pending) > 0 {
		return &fault.Error{Kind: fault.DatabaseUnavailable, Message: "The public schema is behind its migrations.", RetryAfter: 10 * time.Second}
	}
	return postgres.Fault(err)
}

// reachable is an address as a client on this machine can use it: a listener on all addresses has
// none of its own.
func reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// writeReady puts the file in place whole: whoever waits for it may read it at once. It may hold a
// password or a key, so it is its owner's alone.
func writeReady(path string, content readiness) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	_, err = temporary.Write(append(text, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the ready file: %w", err), os.Remove(temporary.Name()))
	}
	return nil
}

// newDesk returns where people are let in, and the identity provider whose tokens are good too, nil for
// none.
func newDesk(checked config.Checked, log zerolog.Logger) (*auth.Desk, *auth.Provider, error) {
	keys := checked.SigningKeys
	if keys == nil {
		log.Warn().Msg("no HOMEROOM_SIGNING_KEY: access tokens end with this process")
		keys = [][]byte{make([]byte, 32)}
		_, _ = rand.Read(keys[0]) // never fails (crypto/rand)
	}
	tokens, err := auth.NewTokens(keys[0], time.Now, keys[1:]...)
	if err != nil {
		return nil, nil, err
	}
	var provider *auth.Provider
	if checked.OIDCIssuer != "" {
		provider = auth.NewProvider(checked.OIDCIssuer, checked.OIDCAudience, time.Now, log)
	}
	return &auth.Desk{Tokens: tokens, Passwords: auth.NewPasswords()}, provider, nil
}

func logger(w io.Writer, checked config.Checked) zerolog.Logger {
	format := checked.LogFormat
	if format == "" && isTerminal(w) {
		format = "console"
	}
	if format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	return zerolog.New(w).Level(checked.LogLevel).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/homeroom-sms/homeroom/internal/config"
	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotReady    = 3
	exitInterrupted = 130
)

// exitError is an error that says how the program ends.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// console is where a command reads its context from and writes to.
type console struct {
	ctx    context.Context //nolint:containedctx // kong hands it to the one command that runs
	stdout io.Writer
	stderr io.Writer
}

type commands struct {
	config.Database

	Dev       devCommand      `cmd:"" help:"A first look: a private PostgreSQL, two demo schools, the service."`
	Serve     serveCommand    `cmd:"" help:"The service, against HOMEROOM_DATABASE_URL."`
	Migrate   migrateCommand  `cmd:"" help:"The schema changes of all schools."`
	School    schoolCommand   `cmd:"" help:"Schools: what the system API does, straight to the database."`
	Databases databaseCommand `cmd:"" name:"database" help:"The databases, beside primary, that may hold schools."`
	Key       keyCommand      `cmd:"" help:"The programs that may use the system API."`
	Operator  operatorCommand `cmd:"" help:"The people who may use the system API."`
	Doctor    doctorCommand   `cmd:"" help:"Check settings, connection, rights, roles and migrations, a line each."`
	OpenAPI   openapiCommand  `cmd:"" name:"openapi" help:"Print an OpenAPI document; needs no database."`
	Version   versionCommand  `cmd:"" help:"Version, commit, Go version, supported PostgreSQL versions."`
}

// run parses the command line, runs the command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	var exit exitError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(stderr, "homeroom: interrupted")
		return exitInterrupted
	}
	if !errors.As(err, &exit) {
		exit = exitError{exitFailed, err}
	}
	if errors.Is(err, embedded.ErrNotFound) {
		exit.code = exitNotReady
	}
	var wrong config.Errors
	if errors.As(err, &wrong) {
		exit.code = exitUsage
	}
	_, _ = fmt.Fprintln(stderr, "homeroom: "+explain(err))
	return exit.code
}

// explain is what a person at a shell is told of an error: the parts of the input that a fault
// blames, else its message, else the error itself.
func explain(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	if f.Kind == fault.Internal || f.Kind == fault.DatabaseUnavailable {
		return f.Error()
	}
	if f.Kind != fault.InvalidInput || len(f.Fields) == 0 {
		return f.Message
	}
	var lines []string
	for _, field := range f.Fields {
		lines = append(lines, strings.TrimPrefix(field.Location, "body.")+": "+field.Message)
	}
	return strings.Join(lines, "\n  ")
}

// stopped is how kong's help and version flags leave: by a panic, for it knows no other way out.
type stopped int

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	defer func() {
		if left := recover(); left != nil {
			code, ok := left.(stopped)
			if !ok {
				panic(left)
			}
			if code != exitDone {
				err = exitError{int(code), errors.New("stopped")}
			}
		}
	}()
	var cli commands
	parser, err := kong.New(&cli, kong.Name("homeroom"), kong.Description("Many schools in one place, each in a PostgreSQL schema of its own."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(stopped(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.UsageOnError())
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return usage("%w\nRun \"homeroom --help\" for the commands.", err)
	}
	// Passwords of databases are looked for when they are needed, in the environment and where that says.
	if err := os.Setenv("HOMEROOM_SECRETS_DIR", cli.SecretsDir); err != nil {
		return err
	}
	return parsed.Run(&console{ctx, stdout, stderr}, &cli.Database)
}

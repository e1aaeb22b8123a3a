// Command homeroom runs many schools in one place, each in a PostgreSQL schema of its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Set by the linker.
var version, commit = "dev", "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

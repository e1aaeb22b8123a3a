package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/config"
)

// leastFree is how much of its disk PostgreSQL should have left: it stops where there is none.
const leastFree = 1 << 30

// checkDisk measures the disk of a server on this machine. Of another machine's it can tell nothing.
func checkDisk(ctx context.Context, conn *pgx.Conn, _ config.Checked, _ directories) (says string, ok bool, err error) {
	var takes, dir string
	if err := conn.QueryRow(ctx, "SELECT pg_size_pretty(pg_database_size(current_database()))").Scan(&takes); err != nil {
		return "", false, err
	}
	takes = "the database takes " + takes
	if !isLocal(conn) {
		return takes + "; the server is on another machine, whose disk can't be measured from here", true, nil
	}
	err = conn.QueryRow(ctx, "SELECT setting FROM pg_settings WHERE name = 'data_directory'").Scan(&dir)
	if errors.Is(err, pgx.ErrNoRows) {
		return takes + "; the login may not know where, so its disk can't be measured", true, nil
	}
	if err != nil {
		return "", false, err
	}
	says, ok = measure(dir, leastFree)
	return takes + "; " + says, ok, nil
}

// isLocal reports whether the server is on this machine.
func isLocal(conn *pgx.Conn) bool {
	remote := conn.PgConn().Conn().RemoteAddr()
	address, err := netip.ParseAddrPort(remote.String())
	return remote.Network() == "unix" || err == nil && address.Addr().Unmap().IsLoopback()
}

// measure says how much is free on a folder's disk, and whether that is enough.
func measure(dir string, least uint64) (says string, ok bool) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return "its disk can't be measured: " + err.Error(), true
	}
	free := disk.Bavail * uint64(disk.Bsize)
	return fmt.Sprintf("%.1f GiB of its disk are free; %.1f will do", float64(free)/(1<<30), float64(least)/(1<<30)), free >= least
}

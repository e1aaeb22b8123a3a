package main

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// target is one schema and the migrations that it follows.
type target struct {
	fleet.Target
	dir *fleet.Directory // never nil
}

// targets are the schemas to look at: the public one first, then the schools by database and code.
func (s selection) targets(ctx context.Context, conn *pgx.Conn, dirs directories) (found []target, err error) {
	if s.Only != "tenant" && len(s.School) == 0 {
		found = append(found, target{fleet.Target{Database: postgres.Primary, Schema: publicSchema}, dirs.public})
	}
	if s.Only == "public" {
		return found, nil
	}
	schools, err := fleet.Targets(ctx, conn, s.School)
	for _, t := range schools {
		found = append(found, target{t, dirs.tenant})
	}
	return found, err
}

// onEach calls do for each target with a connection to its database, as onEachPlace does.
func onEach(ctx context.Context, conn *pgx.Conn, targets []target, do func(*pgx.Conn, target, error) error) error {
	return onEachPlace(ctx, conn, targets, func(conn *pgx.Conn, group []target, unreachable error) (err error) {
		for _, t := range group {
			if err = errors.Join(err, do(conn, t, unreachable)); ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return err
	})
}

// onEachPlace calls do for the targets of each database with a connection to it; conn is that to
// primary. Where a database can't be reached, do is called with the error instead, and the next is
// tried.
func onEachPlace(ctx context.Context, conn *pgx.Conn, targets []target, do func(*pgx.Conn, []target, error) error) error {
	for len(targets) > 0 {
		first := targets[0]
		n := slices.IndexFunc(targets, func(t target) bool { return t.Place() != first.Place() })
		if n < 0 {
			n = len(targets)
		}
		group := targets[:n]
		targets = targets[n:]
		each := func(conn *pgx.Conn, unreachable error) error { return do(conn, group, unreachable) }
		if err := onPlace(ctx, conn, first, each); err != nil {
			return err
		}
	}
	return nil
}

// onPlace calls each with a connection to the target's database, or with why there is none.
func onPlace(ctx context.Context, primary *pgx.Conn, t target, each func(*pgx.Conn, error) error) error {
	if t.Place() == postgres.Primary {
		return each(primary, nil)
	}
	address, err := t.Address(primary.Config().ConnString())
	if err != nil {
		return each(nil, err)
	}
	connect, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := postgres.Connect(connect, address)
	if err != nil {
		return each(nil, postgres.Fault(err))
	}
	err = each(conn, nil)
	return errors.Join(err, closeConn(ctx, conn))
}

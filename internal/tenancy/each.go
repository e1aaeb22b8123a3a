package tenancy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// schoolTime is how long EachSchool stays with one school.
const schoolTime = 15 * time.Second

// EachSchool calls do with a client of each school that is ready, as the login, one after the other. A school for
// which it fails does not keep it from the rest, and where a database can't be reached its other schools are passed
// over. The error names all that failed.
func (r *Registry) EachSchool(ctx context.Context, do func(context.Context, *tenantdb.Client) error) (failed error) {
	schools, err := r.public.School.Query().Where(school.StateEQ(school.StateReady)).Order(school.ByCode()).All(ctx)
	if err != nil {
		return err
	}
	lost := map[string]bool{} // registered databases
	for _, s := range schools {
		if lost[s.Database] {
			continue
		}
		err := within(ctx, func(ctx context.Context) error { return do(ctx, r.Schema(DatabaseOf(s), s.SchemaName)) })
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("the school %s: %w", s.Code, err))
			lost[s.Database] = within(ctx, func(ctx context.Context) error {
				return r.OnConn(ctx, s.Database, func(conn *pgx.Conn) error { return conn.Ping(ctx) })
			}) != nil
		}
	}
	return failed
}

func within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, schoolTime)
	defer cancel()
	return do(ctx)
}

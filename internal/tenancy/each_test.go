package tenancy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/ent/public/school"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A school for which it fails keeps it from no other, nor does a database that is gone, at which it tries once; and
// each school is met in its own schema.
func TestEachSchool(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	registry := tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	register(t, registry, "north", "postgres://nobody@127.0.0.1:1/none", false)
	for _, s := range []struct{ code, database, state string }{
		{"aa", "primary", "ready"}, {"bb", "north", "ready"}, {"cc", "north", "ready"}, {"dd", "primary", "ready"}, {"ee", "primary", "deleted"}, {"ff", "primary", "ready"},
	} {
		create := registry.Public().School.Create().SetName(s.code).SetCode(s.code).SetSchemaName("school_" + s.code).SetDatabase(s.database).SetState(school.State(s.state))
		if s.state == "deleted" {
			create.SetDeletedAt(time.Now())
		}
		create.ExecX(t.Context())
		if s.database == "primary" && s.code != "dd" { // which has no schema
			testkit.On(t, url, testkit.Tenant(t).CreateScript("school_"+s.code))
		}
	}
	var met []string
	asked := 0
	err := registry.EachSchool(t.Context(), func(ctx context.Context, db *tenantdb.Client) error {
		asked++
		rows, err := db.QueryContext(ctx, "SELECT current_schema() WHERE NOT EXISTS (SELECT FROM students)")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var schema string
			if err := rows.Scan(&schema); err != nil {
				return err
			}
			met = append(met, schema)
		}
		return rows.Err()
	})
	if !slices.Equal(met, []string{"school_aa", "school_ff"}) || asked != 4 {
		t.Errorf("met %v, asked %d times", met, asked)
	}
	if err == nil || !strings.Contains(err.Error(), "the school bb:") || !strings.Contains(err.Error(), "the school dd:") || strings.Contains(err.Error(), "the school cc:") {
		t.Errorf("it says: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	err = registry.EachSchool(ended, func(context.Context, *tenantdb.Client) error {
		end()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it went on after its end: %v", err)
	}
}

package platform_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A claim whose making was cut off can be purged, also while its server can't be reached: then it is said
// what may be left there. One that somebody is at work on can't be.
func TestClaimsEnd(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, again := testkit.SecondServer(t)
	p.with(t, second)
	for _, isolation := range []string{"schema", "database"} {
		cutOff := func() (row *publicdb.School) {
			_, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "New", Code: "new", Database: "north", Isolation: isolation, Fill: func(_ *tenancy.Tx, claim *publicdb.School) error {
				row = claim
				if err := p.Purge(ctx, platform.Shell, claim.ID, "new"); !fault.Is(err, fault.Conflict) {
					t.Errorf("%s: purged while it is made: %v", isolation, err)
				}
				return errors.Join(errors.New("cut off"), second.Close())
			}})
			if err == nil {
				t.Fatal("it was created")
			}
			return row
		}
		restart := func() {
			second = again()
			time.Sleep(1100 * time.Millisecond) // a database that failed is left alone for a second
		}
		gone := func(when string) {
			t.Helper()
			if after := p.query(t, "SELECT code FROM clients UNION ALL SELECT domain FROM domains"); len(after) > 0 {
				t.Errorf("%s, %s: left behind: %v", isolation, when, after)
			}
		}

		row := cutOff()
		restart()
		if err := p.Purge(ctx, platform.Shell, row.ID, "old"); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: purged without its code: %v", isolation, err)
		}
		must(t, p.Purge(ctx, platform.Shell, row.ID, "new"))
		gone("purged")
		if found := append(list(t, second.URL("north"), schemas), list(t, second.URL("north"), databases)...); len(found) > 0 {
			t.Errorf("%s: left behind: %v", isolation, found)
		}

		row = cutOff()
		if _, err := p.Abandon(ctx, platform.Shell, row.ID, "old"); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: abandoned without its code: %v", isolation, err)
		}
		said, err := p.Abandon(ctx, platform.Shell, row.ID, "new")
		must(t, err)
		for _, part := range []string{"north", isolation + " school_new", "homeroom school " + row.ID.String(), row.RoleName} {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q says nothing of %s", isolation, said, part)
			}
		}
		gone("abandoned")
		events := p.query(t, "SELECT details ->> 'left' FROM audit_events WHERE action = 'school.abandon' ORDER BY id DESC LIMIT 1")
		if !slices.Equal(events, []string{said}) {
			t.Errorf("%s: the audit says %v", isolation, events)
		}
		restart()
	}
}

// A school that serves can't be abandoned: its records would be lost.
func TestSchoolsAreNotAbandoned(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, _ := testkit.SecondServer(t)
	p.with(t, second)
	row, err := p.Create(ctx, platform.Shell, platform.NewSchool{Name: "New", Code: "new", Database: "north"})
	must(t, err)
	must(t, second.Close())
	if _, err := p.Abandon(ctx, platform.Shell, row.ID, "new"); !fault.Is(err, fault.Conflict) {
		t.Errorf("abandoned: %v", err)
	}
}

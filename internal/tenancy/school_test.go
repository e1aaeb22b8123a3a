package tenancy_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/domain"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// A school that is read by hand is what ent reads, whatever its columns hold and however many domains it has.
func TestSchoolIsWhatEntReads(t *testing.T) {
	t.Parallel()
	all, conn := replicas(t, 1)
	r, ctx := all[0], t.Context()
	run(t, conn, insertSchool("oak", "oak.example")+insertSchool("elm", "elm.example"))
	full := r.Public().School.Query().Where(school.Code("oak")).OnlyX(ctx)
	const more = "INSERT INTO public.domains (id, domain, tenant_id, is_primary) VALUES "
	run(t, conn, more+"('00000000-0000-7000-8000-000000000001', 'a.example', '"+full.ID.String()+"', false), ('ffffffff-0000-7000-8000-000000000001', 'b.example', '"+full.ID.String()+"', false)")
	run(t, conn, "UPDATE public.clients SET migrated_at = now() - interval '1 day', deleted_at = now() - interval '2 days', state = 'deleted', migration_ms = 7,"+
		" migration_error = 'e', role_name = 'r', schema_version = 'v', is_active = true, isolation = 'database', database = 'north', setup_progress = 'completed' WHERE code = 'oak'")
	run(t, conn, "DELETE FROM public.domains WHERE domain = 'elm.example'")
	for _, want := range r.Public().School.Query().WithDomains(func(d *publicdb.DomainQuery) {
		d.Order(domain.ByID()).Select(domain.FieldDomain, domain.FieldIsPrimary, domain.FieldTenantID)
	}).AllX(ctx) {
		got, err := r.School(ctx, want.ID)
		must(t, err)
		if g, w := asJSON(t, got), asJSON(t, want); g != w {
			t.Errorf("read by hand:\n%s\nby ent:\n%s", g, w)
		}
		if want.Code != "oak" {
			continue
		}
		for i := range reflect.TypeOf(*got).NumField() {
			if f := reflect.TypeOf(*got).Field(i); f.IsExported() && reflect.ValueOf(*got).Field(i).IsZero() {
				t.Errorf("%s is empty: the test proves nothing of it", f.Name)
			}
		}
	}
	if _, err := r.School(ctx, uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("no school: %v", err)
	}
}

func asJSON(t *testing.T, row *publicdb.School) string {
	t.Helper()
	text, err := json.Marshal(row)
	must(t, err)
	return string(text)
}

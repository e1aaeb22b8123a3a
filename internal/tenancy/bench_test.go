package tenancy_test

import (
	"context"
	"testing"

	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func BenchmarkByHost(b *testing.B) {
	registry := testkit.Registry(b)
	row := registry.Public().School.Create().SetName("Oak").SetCode("oak").SetSchemaName("school_oak").SetState(school.StateReady).SaveX(b.Context())
	registry.Public().Domain.Create().SetTenantID(row.ID).SetDomain("oak-hill.schools.example.org").ExecX(b.Context())
	listen(b, registry)
	ctx := context.Background()
	for name, host := range map[string]string{"cached": "oak-hill.schools.example.org", "cached, with a port": "oak-hill.schools.example.org:8080", "cached, odd": "OAK-hill.schools.example.org."} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if tenant, err := registry.ByHost(ctx, host); err != nil || tenant.Code != "oak" {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := registry.ByHost(ctx, "oak-hill.schools.example.org"); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("known to be unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := registry.ByHost(ctx, "elm.schools.example.org"); err == nil {
				b.Fatal("found")
			}
		}
	})
}

package auth_test

import (
	"slices"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

func TestScopesAllow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		held  auth.Scopes
		scope string
		want  bool
	}{
		{nil, "schools:purge", true},
		{auth.Scopes{}, "schools:read", true},
		{auth.Scopes{"schools:read"}, "schools:read", true},
		{auth.Scopes{"schools:read"}, "schools:write", false},
		{auth.Scopes{"schools:write"}, "schools:read", true},
		{auth.Scopes{"schools:write"}, "schools:impersonate", false},
		{auth.Scopes{"schools:write"}, "schools:purge", false},
		{auth.Scopes{"schools:purge", "schools:impersonate"}, "schools:read", false},
		{auth.Scopes{"schools:write"}, "domains:read", false},
		{auth.Scopes{"domains:read", "schools:write"}, "schools:write", true},
		{auth.Scopes{"operations:read"}, "operators:read", false},
		{auth.Scopes{"of a later version"}, "schools:read", false},
		{auth.Scopes{""}, "schools:read", false},
		{auth.Scopes{":write"}, "schools:read", false},
		{auth.Scopes{"schools:read"}, "", false},
	} {
		if got := c.held.Allow(c.scope); got != c.want {
			t.Errorf("%q allow %q: %v", c.held, c.scope, got)
		}
	}
}

// A role has the scopes that are open to it: an owner all, a viewer none that writes.
func TestRoleScopes(t *testing.T) {
	t.Parallel()
	all := auth.RoleScopes(auth.RoleOwner)
	for _, role := range []string{auth.RoleOwner, auth.RoleOperator, auth.RoleViewer} {
		for _, scope := range all {
			if slices.Contains(auth.RoleScopes(role), scope) != slices.Contains(auth.ScopeRoles(scope), role) {
				t.Errorf("%s and %s do not agree", role, scope)
			}
		}
	}
	if auth.Scopes(auth.RoleScopes(auth.RoleViewer)).Allow("schools:write") || auth.ScopeRoles("schools:sell") != nil || auth.RoleScopes("nobody") != nil {
		t.Error("a viewer may write, or there is a scope that there is not")
	}
}

func BenchmarkScopesAllow(b *testing.B) {
	for name, held := range map[string]auth.Scopes{
		"none":  {},
		"read":  {"audit-events:read", "domains:read", "migrations:read", "schools:read"},
		"write": {"audit-events:read", "domains:read", "migrations:read", "schools:write"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !held.Allow("schools:read") {
					b.Fatal("they do not")
				}
			}
		})
	}
}

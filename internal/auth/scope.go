package auth

import (
	"slices"
	"strings"
)

// The roles that a scope may be open to.
var (
	readers = []string{RoleOwner, RoleOperator, RoleViewer}
	writers = []string{RoleOwner, RoleOperator}
	owners  = []string{RoleOwner}
)

// scopes are all there are, and who may have them.
var scopes = []struct {
	name  string
	roles []string
}{
	{"schools:read", readers},
	{"schools:write", writers},
	{"schools:impersonate", writers},
	{"schools:purge", owners},
	{"domains:read", readers},
	{"domains:write", writers},
	{"setup:read", readers},
	{"setup:write", writers},
	{"whatsapp-contacts:read", readers},
	{"whatsapp-contacts:write", writers},
	{"databases:read", readers},
	{"databases:write", owners},
	{"migrations:read", readers},
	{"operators:read", owners},
	{"operators:write", owners},
	{"api-keys:read", owners},
	{"api-keys:write", owners},
	{"operations:read", readers},
	{"audit-events:read", readers},
}

// ScopeRoles returns the roles that may have a scope; nil if there is no such scope.
func ScopeRoles(scope string) []string {
	for _, s := range scopes {
		if s.name == scope {
			return s.roles
		}
	}
	return nil
}

// RoleScopes returns the scopes that a role may have; an owner has all.
func RoleScopes(role string) (names []string) {
	for _, s := range scopes {
		if slices.Contains(s.roles, role) {
			names = append(names, s.name)
		}
	}
	return names
}

// Scopes are what an API key is narrowed to; none stand for everything of its role.
type Scopes []string

// Allow reports whether they hold a scope. Who may write a thing may read it.
func (s Scopes) Allow(scope string) bool {
	if len(s) == 0 || slices.Contains(s, scope) {
		return true
	}
	resource, reads := strings.CutSuffix(scope, ":read")
	return reads && slices.Contains(s, resource+":write")
}

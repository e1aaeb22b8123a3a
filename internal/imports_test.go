// Package internal_test holds the rule of which package may import which.
package internal_test

import (
	"cmp"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/homeroom-sms/homeroom/"

// may lists what a package may import of ours: the named packages and those below them, or * for all.
// A line holds for the packages below its own too, unless they have one. Data flows down one stair: cmd,
// httpapi, the capabilities, tenancy and fleet, the driver and the pools.
var may = map[string]string{
	"cmd/homeroom": "*",
	"atlas":        "",

	"ent":               "",
	"ent/mixin":         "",
	"ent/public":        "ent/public ent/mixin",
	"ent/public/schema": "ent/mixin", // with generated code here a clean checkout could not generate
	"ent/tenant":        "ent/tenant ent/mixin",
	"ent/tenant/schema": "ent/mixin",

	"internal":          "",
	"internal/config":   "",
	"internal/fault":    "",
	"internal/entpgx":   "",
	"internal/embedded": "",
	"internal/expiry":   "",

	"internal/postgres": "internal/fault",
	"internal/keyset":   "internal/fault",
	"internal/jobs":     "internal/postgres internal/fault",
	"internal/fleet":    "internal/postgres internal/fault atlas",
	"internal/tenancy":  "internal/postgres internal/entpgx internal/fault ent/public ent/tenant",

	"internal/platform":    "internal/tenancy internal/fleet internal/auth internal/postgres internal/keyset internal/fault ent/public ent/mixin",
	"internal/school":      "internal/keyset internal/fault ent/tenant",
	"internal/school/demo": "internal/school internal/fault ent/tenant",
	"internal/roster":      "internal/school internal/fault ent/tenant",
	"internal/chatbot":     "internal/tenancy internal/school internal/fault ent/public ent/tenant",
	"internal/auth":        "internal/fault ent/public ent/tenant",

	"internal/httpapi":             "internal/httpapi internal/chatbot internal/tenancy internal/fault",
	"internal/httpapi/wire":        "internal/keyset internal/fault",
	"internal/httpapi/idempotency": "internal/httpapi/wire internal/auth internal/fault",
	"internal/httpapi/ratelimit":   "internal/fault",
	"internal/httpapi/signin":      "internal/httpapi/wire internal/auth",
	"internal/httpapi/systemapi":   "internal/httpapi/wire internal/httpapi/idempotency internal/httpapi/ratelimit internal/httpapi/signin internal/platform internal/auth internal/keyset internal/fault ent/public ent/mixin",
	"internal/httpapi/tenantapi":   "internal/httpapi/wire internal/httpapi/idempotency internal/httpapi/ratelimit internal/httpapi/signin internal/school internal/roster internal/auth internal/tenancy internal/keyset internal/fault ent/tenant",

	"internal/bench":   "*",
	"internal/testkit": "*",
}

// only lists who alone may import a package, of ours or of others.
var only = map[string]string{
	"internal/config":               "cmd",
	"internal/school/demo":          "cmd internal/testkit",
	"internal/testkit":              "internal/testkit", // and tests, whose imports go list keeps apart
	"github.com/danielgtaylor/huma": "cmd internal/httpapi",
}

// never lists what of others a package must do without.
var never = map[string]string{
	"internal/fault":    "entgo.io/ent github.com/jackc/pgx",
	"internal/postgres": "entgo.io/ent",
}

func TestImports(t *testing.T) {
	t.Parallel()

	var stderr strings.Builder
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir, list.Stderr = "..", &stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for _, violation := range violations(string(output)) {
		t.Error(violation)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()

	got := violations(strings.ReplaceAll(`
M/cmd/homeroom fmt M/internal/config M/internal/httpapi M/internal/school/demo
M/internal/fault errors github.com/jackc/pgx/v5/pgconn
M/internal/school M/ent/tenant/student M/ent/public M/internal/schoolbook github.com/danielgtaylor/huma/v2
M/internal/httpapi/systemapi M/internal/httpapi/wire M/ent/public/school github.com/danielgtaylor/huma/v2/sse
M/internal/httpapi/tenantapi M/internal/school/demo
M/internal/platform M/internal/tenancy M/internal/testkit
M/internal/helpers strings
M/ent/tenant/schema M/ent/mixin M/ent/tenant/predicate
`, "M/", module))
	want := []string{
		"internal/fault must not import github.com/jackc/pgx/v5/pgconn",
		"internal/school must not import ent/public: it may import internal/keyset internal/fault ent/tenant",
		"internal/school must not import internal/schoolbook: it may import internal/keyset internal/fault ent/tenant",
		"internal/school must not import github.com/danielgtaylor/huma/v2: that is for cmd internal/httpapi alone",
		"internal/httpapi/tenantapi must not import internal/school/demo: that is for cmd internal/testkit alone",
		"internal/platform must not import internal/testkit: it may import internal/tenancy internal/fleet internal/auth internal/postgres internal/keyset internal/fault ent/public ent/mixin",
		"internal/platform must not import internal/testkit: that is for internal/testkit alone",
		"internal/helpers has no line in imports_test.go: say what it may import",
		"ent/tenant/schema must not import ent/tenant/predicate: it may import ent/mixin",
	}
	if !slices.Equal(got, want) {
		t.Errorf("violations:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// violations returns a sentence for each import that breaks a rule. The list has a line a package: its
// path, then those of the packages that it imports.
func violations(list string) []string {
	var found []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pkg := strings.TrimPrefix(fields[0], module)
		allowed, known := lookup(may, pkg)
		if !known {
			found = append(found, pkg+" has no line in imports_test.go: say what it may import")
			continue
		}
		banned, _ := lookup(never, pkg)
		for _, imported := range fields[1:] {
			name, ours := strings.CutPrefix(imported, module)
			breaks := pkg + " must not import " + name
			if ours && allowed != "*" && !within(name, allowed) {
				found = append(found, breaks+": it may import "+cmp.Or(allowed, "nothing of ours"))
			}
			if within(name, banned) {
				found = append(found, breaks)
			}
			if importers, restricted := lookup(only, name); restricted && !within(pkg, importers) {
				found = append(found, breaks+": that is for "+importers+" alone")
			}
		}
	}
	return found
}

// lookup finds the line of a package, else the nearest above it. A top folder's line is for itself alone, so
// that a new package under internal needs one.
func lookup(rules map[string]string, pkg string) (string, bool) {
	for at := pkg; at != "." && at != "/"; at = path.Dir(at) {
		if line, ok := rules[at]; ok && (at == pkg || strings.Contains(at, "/")) {
			return line, true
		}
	}
	return "", false
}

// within reports whether a package is one of the list's, or below one.
func within(pkg, list string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(root string) bool {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	})
}

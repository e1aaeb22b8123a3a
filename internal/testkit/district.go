package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// District returns the folder of a real district's export, which is not in the repository:
// HOMEROOM_TEST_DISTRICT, else shared/data/district beside the checkout. Without it the test is
// skipped.
func District(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("HOMEROOM_TEST_DISTRICT")
	if dir == "" {
		// The checkout is the folder with go.mod, above the folder of the test.
		root, err := os.Getwd()
		must(tb, err)
		for root != filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "data", "district")
	}
	if _, err := os.Stat(filepath.Join(dir, "schools.csv")); err != nil {
		tb.Skip("the district export is not here: set HOMEROOM_TEST_DISTRICT to its folder")
	}
	return dir
}

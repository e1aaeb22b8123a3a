package systemapi_test

import (
	"os"
	"testing"
	"time"
)

// TestMain runs the tests in a zone of its own: every time must be answered in UTC all the same.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("Kathmandu", 5*3600+45*60)
	os.Exit(m.Run())
}

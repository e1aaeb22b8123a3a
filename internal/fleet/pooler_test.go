package fleet_test

import (
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Through a pooler the locks of such a file would be nobody's, so it is refused; any other is applied.
func TestFileOutsideATransactionBehindAPooler(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	through := connect(t, testkit.Pooler(t, url))
	d := load(t, folder(t, "1", "CREATE TABLE a (id int);",
		"2", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);\n"))
	state, err := d.Apply(t.Context(), through, "public")
	if err == nil || !strings.Contains(err.Error(), "connection pooler") || state.Version != "1" {
		t.Errorf("%+v %v", state, err)
	}
	const left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	if n := query[int](t, connect(t, url), left); n != 0 {
		t.Errorf("%d advisory locks were left", n)
	}
}

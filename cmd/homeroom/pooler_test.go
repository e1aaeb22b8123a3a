package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// behindPooler runs a command through a pooler, with direct as the way past it.
func behindPooler(t *testing.T, pooled, direct string, args ...string) result {
	t.Helper()
	cmd := program(t, t.TempDir(), args...)
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+pooled, "HOMEROOM_DIRECT_DATABASE_URL="+direct)
	return finish(t, cmd)
}

// Behind a pooler every command works, and migrations go past it.
func TestPooler(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	pooled, direct := testkit.Pooler(t, url)+"&pool_mode=transaction", url+"&application_name=past"
	testkit.On(t, url, `CREATE FUNCTION public.past() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('application_name') <> 'past' THEN RAISE EXCEPTION 'through the pooler'; END IF; END $$;
		CREATE EVENT TRIGGER past ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION public.past()`)
	behindPooler(t, pooled, "", "migrate", "apply").expect(t, 1, "through the pooler")
	behindPooler(t, pooled, direct, "migrate", "apply").expect(t, 0, "public")
	testkit.On(t, url, "DROP EVENT TRIGGER past")
	behindPooler(t, pooled, direct, "school", "create", "elm", "--name", "Elm", "--domain", "elm.test").expect(t, 0, "elm.test")
	testkit.On(t, url, "DROP TABLE school_elm.atlas_schema_revisions")
	behindPooler(t, pooled, direct, "migrate", "status", "--verify").expect(t, 0, "elm", "behind")

	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+pooled, "HOMEROOM_DIRECT_DATABASE_URL="+direct)
	s := start(t, cmd)
	if status, text := s.get(t, "any.test", "", "/readyz"); status != 200 {
		t.Error(status, text)
	}
	listeners := "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'past listener'"
	for deadline := time.Now().Add(10 * time.Second); ask[int](t, url, listeners) != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no listener goes past the pooler")
		}
	}
	if code := s.stop(t, syscall.SIGTERM); code != 0 || strings.Contains(s.stderr.String(), "can't be heard") {
		t.Errorf("it ended with %d\n%s", code, &s.stderr)
	}
}

// A direct URL that leads elsewhere would be migrated and listened to in vain.
func TestWrongDirectURL(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	pooled := testkit.Pooler(t, url) + "&pool_mode=transaction"
	behindPooler(t, pooled, url, "doctor").expect(t, 0, "one is in front", "the same database, past any pooler")
	behindPooler(t, pooled, "", "doctor").expect(t, 0, "HOMEROOM_DIRECT_DATABASE_URL does not say the way past it")
	for says, direct := range map[string]string{"leads to another": testkit.Database(t), "leads through one": pooled} {
		behindPooler(t, pooled, direct, "doctor").expect(t, 1, "FAIL", says)
		behindPooler(t, pooled, direct, "school", "list").expect(t, exitUsage, says)
		behindPooler(t, pooled, direct, "migrate", "apply").expect(t, exitUsage, says)
	}
	behindPooler(t, "", url, "school", "list").expect(t, exitUsage, "HOMEROOM_DIRECT_DATABASE_URL is \"***\", but takes a HOMEROOM_DATABASE_URL beside it")
}

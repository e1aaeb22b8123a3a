package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Where the database has committed and its answer is lost, the caller is told that nobody knows, and the same
// request with its Idempotency-Key does nothing again, in either API.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	r, through := relayTo(t, url)
	o := outageOf(t, through)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	const name = `"name":"Twice"`
	for i, c := range []struct{ host, path, token, body, made string }{
		{"localhost", "/api/v1/system/api-keys/", o.key, `{` + name + `,"role":"viewer"}`, "SELECT count(*) FROM public.api_keys WHERE name = 'Twice'"},
		{"localhost", "/api/v1/system/schools/", o.key, `{` + name + `,"code":"twice"}`, "SELECT count(*) FROM public.clients WHERE name = 'Twice'"},
		{"oak.test", "/api/v1/guardians/", o.tokens["oak"], `{"full_name":"Twice"}`, "SELECT count(*) FROM school_oak.guardians WHERE full_name = 'Twice'"},
	} {
		key := []string{"Idempotency-Key", "k" + c.path}
		r.cutAt("COMMIT\x00")
		first := o.post(c.host, c.path, c.token, c.body, key...)
		if first.Code != http.StatusServiceUnavailable || !strings.Contains(first.Body.String(), "whether this was done is unknown") || first.Header().Get("Retry-After") == "" {
			t.Fatalf("%d: %d %s", i, first.Code, first.Body)
		}
		for range 2 {
			again := o.post(c.host, c.path, c.token, c.body, key...)
			if again.Code != http.StatusConflict || !strings.Contains(again.Body.String(), "unknown") || again.Header().Get("Retry-After") != "" {
				t.Errorf("%s again: %d %s", c.path, again.Code, again.Body)
			}
		}
		var made int
		must(t, conn.QueryRow(t.Context(), c.made).Scan(&made))
		if made != 1 {
			t.Errorf("%s: made %d times", c.path, made)
		}
	}
}

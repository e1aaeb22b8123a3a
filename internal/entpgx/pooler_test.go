package entpgx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestPooled(t *testing.T) {
	t.Parallel()
	direct := database(t)
	through := testkit.Pooler(t, direct)
	for address, want := range map[string]bool{direct: false, through: true} {
		conn, err := pgx.Connect(t.Context(), address)
		must(t, err)
		if pooled, err := entpgx.Pooled(t.Context(), conn); err != nil || pooled != want {
			t.Errorf("%s: %t (%v), want %t", address, pooled, err, want)
		}
		must(t, conn.Close(t.Context()))
	}
	ended, err := pgx.Connect(t.Context(), direct)
	must(t, err)
	must(t, ended.Close(t.Context()))
	if _, err := entpgx.Pooled(t.Context(), ended); err == nil {
		t.Error("a closed connection answered")
	}
}

// TestHammerPooled is the hammer with PgBouncer in between, which nobody has told the driver of.
func TestHammerPooled(t *testing.T) {
	t.Parallel()
	server := ground(t)
	h := newHammer(t, server, testkit.Pooler(t, server), "", entpgx.Options{MaxScopes: 25})
	h.fall(t, *hammerFor)
	h.mustHold(t)
}

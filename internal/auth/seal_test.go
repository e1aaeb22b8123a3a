package auth_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	ours, theirs := tokens(t, seed, start), tokens(t, bytes.Repeat([]byte{8}, 32), start)
	content := []byte("hr_only_shown_once")
	sealed, err := ours.Seal("key", content)
	must(t, err)
	again, err := ours.Seal("key", content)
	must(t, err)
	if bytes.Contains(sealed, content) || bytes.Equal(sealed, again) {
		t.Errorf("%q and %q", sealed, again)
	}
	if got, err := ours.Open("key", sealed); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%q %v", got, err)
	}
	if got, err := ours.Open("another", sealed); err == nil {
		t.Errorf("another secret opens it: %q", got)
	}
	if got, err := theirs.Open("key", sealed); err == nil {
		t.Errorf("another signing key opens it: %q", got)
	}
	sealed[len(sealed)/2] ^= 1
	for _, broken := range [][]byte{sealed, sealed[:5], nil} {
		if got, err := ours.Open("key", broken); err == nil {
			t.Errorf("%q opens: %q", broken, got)
		}
	}
}

// TestSealRotation holds that what one signing key has sealed is read as long as it is among them, and that
// the first one seals.
func TestSealRotation(t *testing.T) {
	t.Parallel()
	second, content := bytes.Repeat([]byte{8}, 32), []byte("hr_only_shown_once")
	both, err := auth.NewTokens(second, time.Now, seed)
	must(t, err)
	for name, c := range map[string]struct {
		sealer *auth.Tokens
		opens  map[*auth.Tokens]bool
	}{
		"before": {tokens(t, seed, start), map[*auth.Tokens]bool{both: true, tokens(t, second, start): false}},
		"after":  {both, map[*auth.Tokens]bool{both: true, tokens(t, second, start): true, tokens(t, seed, start): false}},
	} {
		sealed, err := c.sealer.Seal("key", content)
		must(t, err)
		for opener, want := range c.opens {
			if got, err := opener.Open("key", sealed); (err == nil) != want || want && !bytes.Equal(got, content) {
				t.Errorf("%s: %q %v, want opened %v", name, got, err, want)
			}
		}
	}
}

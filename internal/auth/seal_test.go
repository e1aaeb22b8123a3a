package auth_test

import (
	"bytes"
	"testing"
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

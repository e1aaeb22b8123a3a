package auth_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

func TestHash(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords()
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	seen := map[auth.PasswordHash]bool{}
	for range 2 {
		hash, err := passwords.Hash(t.Context(), "body.password", "a walk along the river")
		must(t, err)
		if !form.MatchString(string(hash)) || seen[hash] {
			t.Errorf("hash %s", hash)
		}
		seen[hash] = true
	}
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords()
	for password, good := range map[string]bool{
		"a walk along the river":         true,
		"plain words":                    false, // 11
		"plain words.":                   true,
		"тихая река12":                   true, // characters, not bytes
		"тихая река":                     false,
		strings.Repeat("abcd ef ", 16):   true, // 128
		strings.Repeat("abcd ef ", 17):   false,
		"Password1234":                   false,
		"qwertyuiop123":                  false,
		"aaaaaaaaaaaaaaaaaaaa":           false,
		"ａａａａａａａａａａａａａ":                  false, // the same in full width
		"ada@example.org":                false,
		"ada@example.org1":               false,
		"Ada Lovelace!":                  false,
		"ada likes to walk at the river": true,
		"":                               false,
	} {
		_, err := passwords.Hash(t.Context(), "body.password", password, "ada@example.org", "Ada Lovelace")
		if good && err != nil || !good && (!fault.Is(err, fault.InvalidInput) || fault.Of(err).Fields[0].Location != "body.password") {
			t.Errorf("%q: %v", password, err)
		}
		if err != nil && password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("%q is in the error", password)
		}
	}
}

// TestHashesAtOnce holds that no more hashes are computed at once than there are processors.
func TestHashesAtOnce(t *testing.T) {
	t.Parallel()
	most := runtime.GOMAXPROCS(0)
	passwords, entered, leave := auth.NewPasswords(), make(chan bool, most), make(chan bool)
	passwords.Around(func(compute func()) {
		select {
		case entered <- true:
			<-leave
		default:
			t.Error("one too many")
		}
		compute()
	})
	var group sync.WaitGroup
	for range most {
		group.Go(func() {
			if _, err := passwords.Hash(context.Background(), "", password); err != nil {
				t.Error(err)
			}
		})
	}
	for len(entered) < most {
		runtime.Gosched()
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := passwords.Hash(short, "", password); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more: %v", err)
	}
	close(leave)
	group.Wait()
}

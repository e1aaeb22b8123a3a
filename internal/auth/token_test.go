package auth_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// keyID returns the id of the key that grows from seed.
func keyID(t *testing.T, seed []byte) string {
	t.Helper()
	token, _, err := tokens(t, seed, start).ForPlatform(auth.Principal{}, time.Hour)
	must(t, err)
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	must(t, err)
	return parsed.Header["kid"].(string)
}

func TestPlatformToken(t *testing.T) {
	t.Parallel()
	school, owner := uuid.New(), auth.Principal{Name: "operator:1", Role: auth.RoleOwner}
	made := tokens(t, seed, start)
	token, _, err := made.ForPlatform(owner, time.Minute)
	must(t, err)
	foreign, _, err := made.ForSchool(school, owner, time.Minute)
	must(t, err)
	for range 2 { // the second time it is known
		if got, err := made.ByPlatformToken(token); err != nil || !reflect.DeepEqual(got, owner) {
			t.Errorf("its own: %v %v", got, err)
		}
		if got, err := made.ByPlatformToken(foreign); !fault.Is(err, fault.Unauthenticated) || !reflect.DeepEqual(got, auth.Principal{}) {
			t.Errorf("a school's: %v %v", got, err)
		}
		for _, id := range []uuid.UUID{school, uuid.Nil} {
			if got, err := made.BySchoolToken(id, token); !fault.Is(err, fault.Unauthenticated) || !reflect.DeepEqual(got, auth.Principal{}) {
				t.Errorf("for a school: %v %v", got, err)
			}
		}
	}
	if _, err := tokens(t, seed, start.Add(time.Minute)).ByPlatformToken(token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("after its end: %v", err)
	}
}

// TestRotation holds that a new signing key logs nobody out, and that one that is taken away does.
func TestRotation(t *testing.T) {
	t.Parallel()
	rotated := bytes.Repeat([]byte{9}, 32)
	with := func(seed []byte, older ...[]byte) *auth.Tokens {
		made, err := auth.NewTokens(seed, func() time.Time { return start }, older...)
		must(t, err)
		return made
	}
	sign := func(made *auth.Tokens) string {
		token, _, err := made.ForPlatform(auth.Principal{Name: "operator:1"}, time.Hour)
		must(t, err)
		return token
	}
	before, announced, after, done := with(seed), with(seed, rotated), with(rotated, seed), with(rotated)
	for name, test := range map[string]struct {
		token string
		at    *auth.Tokens
		good  bool
	}{
		"the old key at a replica that knows both":         {sign(before), announced, true},
		"the old key once the new one signs":               {sign(announced), after, true},
		"the new key at a replica that still signs by old": {sign(after), announced, true},
		"the new key at a replica that does not know it":   {sign(after), before, false},
		"the old key once it is taken away":                {sign(before), done, false},
		"the new key at the end":                           {sign(after), done, true},
	} {
		if _, err := test.at.ByPlatformToken(test.token); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := auth.NewTokens(seed, time.Now, seed[1:]); err == nil {
		t.Error("an older key of 31 bytes is taken")
	}
}

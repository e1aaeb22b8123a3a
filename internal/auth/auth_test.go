package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/apikey"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

var (
	seed  = bytes.Repeat([]byte{7}, ed25519.SeedSize)
	key   = ed25519.NewKeyFromSeed(seed)
	start = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tokens(t *testing.T, seed []byte, now time.Time) *auth.Tokens {
	t.Helper()
	made, err := auth.NewTokens(seed, func() time.Time { return now })
	must(t, err)
	return made
}

func TestNewTokensTakesWholeSeeds(t *testing.T) {
	t.Parallel()
	for _, seed := range [][]byte{nil, {}, seed[1:], append(seed[:32:32], 1), bytes.Repeat([]byte{1}, ed25519.PrivateKeySize)} {
		if _, err := auth.NewTokens(seed, time.Now); err == nil {
			t.Errorf("a seed of %d bytes is taken", len(seed))
		}
	}
}

func TestSchoolToken(t *testing.T) {
	t.Parallel()
	school, admin := uuid.New(), auth.Principal{Name: "api-key:1", Role: auth.RoleAdmin}
	token, expires, err := tokens(t, seed, start).ForSchool(school, admin, 15*time.Minute)
	must(t, err)
	if want := start.Add(15 * time.Minute); !expires.Equal(want) || expires.Location() != time.UTC {
		t.Errorf("expires %s, want %s", expires, want)
	}
	for offset, good := range map[time.Duration]bool{0: true, 15*time.Minute - time.Second: true, 15 * time.Minute: false, time.Hour: false} {
		got, err := tokens(t, seed, start.Add(offset)).BySchoolToken(school, token)
		if good && (err != nil || !reflect.DeepEqual(got, admin)) || !good && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("after %s: %v %v", offset, got, err)
		}
	}
	again, _, err := tokens(t, seed, start).ForSchool(school, admin, 15*time.Minute)
	must(t, err)
	if again == token {
		t.Error("two tokens are the same")
	}
}

func TestRefusedSchoolTokens(t *testing.T) {
	t.Parallel()
	school := uuid.New()
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "homeroom", "sub": "user:1", "aud": "school:" + school.String(), "exp": start.Add(time.Hour).Unix(), "role": "admin"}
	}
	sign := func(method jwt.SigningMethod, with any, change ...any) string {
		claims := good()
		for i := 0; i < len(change); i += 2 {
			if claims[change[i].(string)] = change[i+1]; change[i+1] == nil {
				delete(claims, change[i].(string))
			}
		}
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = keyID(t, seed)
		if id, ok := claims["kid"]; ok {
			token.Header["kid"] = id
		}
		text, err := token.SignedString(with)
		must(t, err)
		return text
	}
	check := tokens(t, seed, start)
	valid := sign(jwt.SigningMethodEdDSA, key)
	if got, err := check.BySchoolToken(school, valid); err != nil || !reflect.DeepEqual(got, auth.Principal{Name: "user:1", Role: "admin"}) {
		t.Fatalf("the token that the others are changed from: %v %v", got, err)
	}
	parts := strings.Split(valid, ".")
	ours := key.Public().(ed25519.PublicKey)
	for name, token := range map[string]string{
		"another school's":         sign(jwt.SigningMethodEdDSA, key, "aud", "school:"+uuid.NewString()),
		"no school's":              sign(jwt.SigningMethodEdDSA, key, "aud", nil),
		"a bare id":                sign(jwt.SigningMethodEdDSA, key, "aud", school.String()),
		"an audience of a number":  sign(jwt.SigningMethodEdDSA, key, "aud", 7),
		"expired":                  sign(jwt.SigningMethodEdDSA, key, "exp", start.Unix()),
		"without an end":           sign(jwt.SigningMethodEdDSA, key, "exp", nil),
		"an end in words":          sign(jwt.SigningMethodEdDSA, key, "exp", "never"),
		"not yet valid":            sign(jwt.SigningMethodEdDSA, key, "nbf", start.Add(time.Minute).Unix()),
		"another issuer":           sign(jwt.SigningMethodEdDSA, key, "iss", "elsewhere"),
		"no issuer":                sign(jwt.SigningMethodEdDSA, key, "iss", nil),
		"another key":              sign(jwt.SigningMethodEdDSA, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))),
		"an unknown key":           sign(jwt.SigningMethodEdDSA, key, "kid", keyID(t, bytes.Repeat([]byte{8}, 32))),
		"no key":                   sign(jwt.SigningMethodEdDSA, key, "kid", ""),
		"a key that is a number":   sign(jwt.SigningMethodEdDSA, key, "kid", 7),
		"a key that is a path":     sign(jwt.SigningMethodEdDSA, key, "kid", "../../dev/null"),
		"the platform's":           sign(jwt.SigningMethodEdDSA, key, "aud", "platform"),
		"two audiences":            sign(jwt.SigningMethodEdDSA, key, "aud", []string{"school:" + school.String(), "platform"}),
		"alg none":                 sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"HS256 by the public key":  sign(jwt.SigningMethodHS256, []byte(ours)),
		"HS512 by the public key":  sign(jwt.SigningMethodHS512, []byte(ours)),
		"HS256 by the seed":        sign(jwt.SigningMethodHS256, seed),
		"no signature":             parts[0] + "." + parts[1] + ".",
		"two parts":                parts[0] + "." + parts[1],
		"another token's claims":   parts[0] + "." + strings.Split(sign(jwt.SigningMethodEdDSA, key, "role", "x"), ".")[1] + "." + parts[2],
		"a byte more":              valid + "A",
		"nothing":                  "",
		"garbage":                  "a.b.c",
		"dots":                     "..",
		"an API key":               auth.NewKey(uuid.New()).Token,
		"with Bearer":              "Bearer " + valid,
		"with a space":             " " + valid,
		"many dots":                strings.Repeat(".", 100_000),
		"a header that is no JSON": "e30x." + parts[1] + "." + parts[2],
	} {
		got, err := check.BySchoolToken(school, token)
		if !fault.Is(err, fault.Unauthenticated) || !reflect.DeepEqual(got, auth.Principal{}) {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if f := fault.Of(err); f.Message != "A valid API key or access token is needed." || len(f.Fields) > 0 {
			t.Errorf("%s: says why: %s", name, f.Message)
		}
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^hr_[0-9a-f]{32}_([a-z2-7]{32})$`)
	seen := map[string]bool{}
	for range 100 {
		id := uuid.New()
		made := auth.NewKey(id)
		found := shape.FindStringSubmatch(made.Token)
		if found == nil || made.ID != id || !strings.Contains(made.Token, strings.ReplaceAll(id.String(), "-", "")) {
			t.Fatalf("token %s of %s", made.Token, id)
		}
		if hash := sha256.Sum256([]byte(found[1])); !bytes.Equal(hash[:], made.Hash) || seen[found[1]] {
			t.Fatalf("%s: the hash is another, or the secret not new", made.Token)
		}
		seen[found[1]] = true
	}
}

func TestByKey(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.Registry(t).Public(), t.Context()
	add := func(role apikey.Role, change func(*publicdb.APIKeyCreate)) auth.Key {
		made := auth.NewKey(uuid.New())
		create := db.APIKey.Create().SetID(made.ID).SetName("x").SetRole(role).SetSecretHash(made.Hash)
		change(create)
		must(t, create.Exec(ctx))
		return made
	}
	plain := func(*publicdb.APIKeyCreate) {}
	owner, viewer := add(apikey.RoleOwner, plain), add(apikey.RoleViewer, plain)
	lasting := add(apikey.RoleOperator, func(c *publicdb.APIKeyCreate) { c.SetExpiresAt(start.Add(time.Second)) })
	for _, test := range []struct {
		key  auth.Key
		role string
	}{{owner, auth.RoleOwner}, {viewer, auth.RoleViewer}, {lasting, auth.RoleOperator}} {
		got, err := auth.ByKey(ctx, db, db.APIKey.Get, test.key.Token, start)
		if err != nil || !reflect.DeepEqual(got, auth.Principal{Name: "api-key:" + test.key.ID.String(), Role: test.role, Scopes: []string{}}) {
			t.Errorf("%s: %v %v", test.role, got, err)
		}
	}
	narrow := add(apikey.RoleOwner, func(c *publicdb.APIKeyCreate) { c.SetScopes([]string{"schools:read"}) })
	if got, err := auth.ByKey(ctx, db, db.APIKey.Get, narrow.Token, start); err != nil || !slices.Equal(got.Scopes, []string{"schools:read"}) {
		t.Errorf("a key with scopes: %v %v", got, err)
	}
	swapped := owner.Token[:36] + viewer.Token[36:]
	for name, token := range map[string]string{
		"expired":              add(apikey.RoleOwner, func(c *publicdb.APIKeyCreate) { c.SetExpiresAt(start) }).Token,
		"revoked":              add(apikey.RoleOwner, func(c *publicdb.APIKeyCreate) { c.SetRevokedAt(start.Add(time.Hour)) }).Token,
		"unknown":              auth.NewKey(uuid.New()).Token,
		"another key's secret": swapped,
		"no secret":            owner.Token[:36],
		"no id":                "hr_" + owner.Token[36:],
		"no prefix":            owner.Token[3:],
		"the hash":             owner.Token[:36] + string(owner.Hash),
		"upper case":           strings.ToUpper(owner.Token),
		"more":                 owner.Token + "_",
		"an id with hyphens":   "hr_" + owner.ID.String() + owner.Token[35:],
		"nothing":              "", "the prefix": "hr_", "garbage": "\x00\xff",
	} {
		if got, err := auth.ByKey(ctx, db, db.APIKey.Get, token, start); !fault.Is(err, fault.Unauthenticated) || !reflect.DeepEqual(got, auth.Principal{}) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := auth.ByKey(cancelled, db, db.APIKey.Get, owner.Token, start); err == nil || fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without a database: %v", err)
	}
}

// TestLastUse holds that a key's use is noted to the minute, and is no change of the key.
func TestLastUse(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.Registry(t).Public(), t.Context()
	made := auth.NewKey(uuid.New())
	before := db.APIKey.Create().SetID(made.ID).SetName("x").SetRole(apikey.RoleOwner).SetSecretHash(made.Hash).SaveX(ctx)
	for _, use := range []struct{ after, noted time.Duration }{{0, 0}, {time.Minute, 0}, {61 * time.Second, 61 * time.Second}, {62 * time.Second, 61 * time.Second}} {
		if _, err := auth.ByKey(ctx, db, db.APIKey.Get, made.Token, start.Add(use.after)); err != nil {
			t.Fatal(err)
		}
		row := db.APIKey.GetX(ctx, made.ID)
		if !row.LastUsedAt.Equal(start.Add(use.noted)) || !row.UpdatedAt.Equal(before.UpdatedAt) {
			t.Errorf("used after %s: noted %s, updated %s", use.after, row.LastUsedAt, row.UpdatedAt)
		}
	}
	remembered := func(context.Context, uuid.UUID) (*publicdb.APIKey, error) { return before, nil }
	if _, err := auth.ByKey(ctx, db, remembered, made.Token, start.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	if row := db.APIKey.GetX(ctx, made.ID); !row.LastUsedAt.Equal(start.Add(61 * time.Second)) {
		t.Errorf("used while it was remembered as never used: noted %s", row.LastUsedAt)
	}
}

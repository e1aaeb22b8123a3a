package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/apikey"
	"github.com/homeroom-sms/homeroom/ent/public/operator"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// issuer is a small identity provider.
type issuer struct {
	*httptest.Server
	key   atomic.Pointer[rsa.PrivateKey] // what it signs with and shows
	down  atomic.Bool
	asked atomic.Int64 // how often for its keys
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.rotate(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		public := i.key.Load().PublicKey
		i.answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": i.kid(),
			"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
		}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answer(w http.ResponseWriter, body any) {
	if i.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (i *issuer) kid() string { return i.key.Load().N.Text(62)[:8] }

func (i *issuer) rotate(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	i.key.Store(key)
}

// token returns a token of ada's, with changes.
func (i *issuer) token(t *testing.T, now time.Time, change ...any) string {
	t.Helper()
	return i.signed(t, jwt.SigningMethodRS256, i.key.Load(), now, change...)
}

func (i *issuer) signed(t *testing.T, method jwt.SigningMethod, with any, now time.Time, change ...any) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": i.URL, "sub": "7", "aud": "homeroom-console", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"email": "Ada@Example.org", "email_verified": true, "role": "owner",
	}
	for n := 0; n < len(change); n += 2 {
		if claims[change[n].(string)] = change[n+1]; change[n+1] == nil {
			delete(claims, change[n].(string))
		}
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = i.kid()
	text, err := token.SignedString(with)
	must(t, err)
	return text
}

// gate is one of the platform with a provider, an operator and a clock.
type gate struct {
	auth.Gate
	*issuer
	db    *publicdb.Client
	ada   *publicdb.Operator
	clock atomic.Int64
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{issuer: newIssuer(t), db: testkit.Registry(t).Public()}
	now := func() time.Time { return start.Add(time.Duration(g.clock.Load())) }
	signed, err := auth.NewTokens(seed, now)
	must(t, err)
	g.Gate = auth.Gate{Public: g.db, Keys: g.db.APIKey.Get, Tokens: signed, Now: now, Provider: auth.NewProvider(g.URL, "homeroom-console", now, zerolog.Nop())}
	g.ada = g.db.Operator.Create().SetEmail(email).SetFullName("Ada").SetRole(operator.RoleViewer).SaveX(t.Context())
	return g
}

func (g *gate) want(t *testing.T, what, token string, good bool) {
	t.Helper()
	got, err := g.ByBearer(t.Context(), token)
	if good && (err != nil || !reflect.DeepEqual(got, auth.Principal{Name: "operator:" + g.ada.ID.String(), Role: auth.RoleViewer})) {
		t.Errorf("%s: %v %v", what, got, err)
	}
	if !good && (!fault.Is(err, fault.Unauthenticated) || !reflect.DeepEqual(got, auth.Principal{})) {
		t.Errorf("%s: %v %v", what, got, err)
	}
	if !good && fault.Of(err).Message != "A valid API key or access token is needed." {
		t.Errorf("%s says why: %s", what, fault.Of(err).Message)
	}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.want(t, "its own", g.token(t, start), true) // and the role is the row's
	other := newIssuer(t)
	public := g.key.Load().Public().(*rsa.PublicKey)
	text, err := x509.MarshalPKIXPublicKey(public)
	must(t, err)
	for name, token := range map[string]string{
		"another audience":        g.token(t, start, "aud", "another-program"),
		"no audience":             g.token(t, start, "aud", nil),
		"expired":                 g.token(t, start.Add(-2*time.Hour)),
		"without an end":          g.token(t, start, "exp", nil),
		"an unverified address":   g.token(t, start, "email_verified", false),
		"no word of verification": g.token(t, start, "email_verified", nil),
		"verified in words":       g.token(t, start, "email_verified", "true"),
		"an unknown address":      g.token(t, start, "email", "nobody@example.org"),
		"no address":              g.token(t, start, "email", nil),
		"another issuer":          other.token(t, start),
		"another issuer's key":    g.signed(t, jwt.SigningMethodRS256, other.key.Load(), start),
		"alg none":                g.signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, start),
		"HS256 by the public key": g.signed(t, jwt.SigningMethodHS256, text, start),
		"ours in its name":        g.signed(t, jwt.SigningMethodEdDSA, key, start),
		"its own in our name":     g.token(t, start, "iss", "homeroom", "aud", "platform", "sub", "operator:"+g.ada.ID.String()),
	} {
		g.want(t, name, token, false)
	}
	g.db.Operator.UpdateOne(g.ada).SetIsActive(false).ExecX(t.Context())
	g.want(t, "an operator who is switched off", g.token(t, start), false)
}

func TestProviderRotates(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	old := g.token(t, start)
	g.want(t, "the first key's", old, true)
	g.rotate(t)
	fresh := g.token(t, start)
	g.want(t, "the second key's, a moment after the keys were asked for", fresh, false)
	madeUp := newIssuer(t).token(t, start, "iss", g.URL)
	for range 20 { // such don't make us ask again and again
		g.want(t, "made up", madeUp, false)
	}
	if n := g.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	g.clock.Add(int64(auth.ProviderPause))
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := g.ByBearer(t.Context(), fresh); err == nil {
			break // go-oidc may still be leaving the fetch before, and would share its answer
		}
	}
	g.want(t, "the second key's", fresh, true)
	g.want(t, "the first key's, which it shows no more", old, false)
}

// TestProviderDown holds that all other credentials are good while the provider is down, and its own again
// once it is back.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.down.Store(true)
	own, _, err := g.Tokens.ForPlatform(auth.Principal{Name: "operator:" + g.ada.ID.String(), Role: auth.RoleOwner}, time.Hour)
	must(t, err)
	made := auth.NewKey(uuid.New())
	g.db.APIKey.Create().SetID(made.ID).SetName("x").SetRole(apikey.RoleOwner).SetSecretHash(made.Hash).ExecX(t.Context())
	for range 2 {
		g.want(t, "the provider's", g.token(t, start), false)
		g.want(t, "ours", own, true)
		if _, err := g.ByBearer(t.Context(), made.Token); err != nil {
			t.Errorf("an API key: %v", err)
		}
	}
	g.down.Store(false)
	g.clock.Add(int64(auth.ProviderPause))
	g.want(t, "the provider's, once it is back", g.token(t, start), true)
	g.down.Store(true)
	g.want(t, "the provider's, by keys that are known", g.token(t, start), true)
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.Provider = nil
	g.want(t, "the provider's, where none is set", g.token(t, start), false)
	for name, test := range map[string]struct {
		subject string
		good    bool
	}{
		"an operator's": {"operator:" + g.ada.ID.String(), true}, "nobody's": {"operator:" + uuid.NewString(), false},
		"a user's": {"user:" + g.ada.ID.String(), false}, "a key's": {"api-key:" + g.ada.ID.String(), false}, "no id": {"operator:", false}, "the shell's": {"shell", false},
	} {
		token, _, err := g.Tokens.ForPlatform(auth.Principal{Name: test.subject, Role: auth.RoleOwner}, time.Hour)
		must(t, err)
		g.want(t, name, token, test.good)
	}
	token, _, err := g.Tokens.ForPlatform(auth.Principal{Name: "operator:" + g.ada.ID.String(), Role: auth.RoleViewer}, time.Hour)
	must(t, err)
	school, _, err := g.Tokens.ForSchool(g.ada.ID, auth.Principal{Name: "operator:" + g.ada.ID.String(), Role: auth.RoleAdmin}, time.Hour)
	must(t, err)
	g.want(t, "a school's", school, false)
	g.db.Operator.UpdateOne(g.ada).SetRole(operator.RoleOwner).ExecX(t.Context())
	if got, err := g.ByBearer(t.Context(), token); err != nil || got.Role != auth.RoleOwner {
		t.Errorf("after a change of role: %v %v", got, err)
	}
	g.db.Operator.UpdateOne(g.ada).SetIsActive(false).ExecX(t.Context())
	g.want(t, "an operator who is switched off", token, false)
}

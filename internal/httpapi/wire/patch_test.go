package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

type Settings struct {
	Count  int64            `json:"count" minimum:"0"`
	Open   bool             `json:"open,omitempty" default:"true"`
	Limits map[string]int64 `json:"limits,omitempty"`
	Inner  Inner            `json:"inner"`
	Born   wire.Date        `json:"born,omitzero"`
}

type Inner struct {
	Name  string  `json:"name" minLength:"1"`
	Other *string `json:"other" maxLength:"3"`
	Next  *Inner  `json:"next,omitempty"`
}

func patch[T any](tb testing.TB, document string) wire.Patch[T] {
	tb.Helper()
	var p wire.Patch[T]
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestApply(t *testing.T) {
	t.Parallel()
	const big = 1<<62 + 1 // which a float64 rounds
	current := Settings{Count: big, Limits: map[string]int64{"a": 1, "b": big}, Inner: Inner{Name: "x", Next: &Inner{Name: "y"}}}
	for document, want := range map[string]string{
		`{}`:                                  `{"count":4611686018427387905,"limits":{"a":1,"b":4611686018427387905},"inner":{"name":"x","other":null,"next":{"name":"y","other":null}}}`,
		`{"count":1,"limits":null}`:           `{"count":1,"inner":{"name":"x","other":null,"next":{"name":"y","other":null}}}`,
		`{"open":null,"inner":{"next":null}}`: `{"count":4611686018427387905,"open":true,"limits":{"a":1,"b":4611686018427387905},"inner":{"name":"x","other":null}}`,
		`{"limits":{"a":null,"c":2},"inner":{"other":"o","next":{"name":"z"}}}`: `{"count":4611686018427387905,"limits":{"b":4611686018427387905,"c":2},"inner":{"name":"x","other":"o","next":{"name":"z","other":null}}}`,
		`{"born":"2020-01-02","limits":{},"inner":{"next":{"other":null}}}`:     `{"count":4611686018427387905,"limits":{"a":1,"b":4611686018427387905},"inner":{"name":"x","other":null,"next":{"name":"y","other":null}},"born":"2020-01-02"}`,
	} {
		patched, err := patch[Settings](t, document).Apply(current)
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		if got, _ := json.Marshal(patched); string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", document, got, want)
		}
	}
	if current.Limits["a"] != 1 || current.Inner.Next.Name != "y" {
		t.Errorf("the current one was changed: %+v", current)
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	current := Settings{Inner: Inner{Name: "x"}}
	for document, location := range map[string]string{
		`{"count":null}`:                   "body.count",
		`{"count":-1}`:                     "body.count",
		`{"count":1.5}`:                    "body.count",
		`{"count":9223372036854775808}`:    "body.count",
		`{"inner":null}`:                   "body.inner",
		`{"inner":{"name":null}}`:          "body.inner.name",
		`{"inner":{"other":"long"}}`:       "body.inner.other",
		`{"inner":{"next":{"other":"o"}}}`: "body.inner.next.name",
		`{"inner":"x"}`:                    "body.inner",
		`{"more":1}`:                       "body.more",
		`{"Count":1}`:                      "body.Count",
		`{"born":"2020-02-30"}`:            "body.born",
		`{"count":1e999}`:                  "body",
		`[]`:                               "body",
		`null`:                             "body",
		`"x"`:                              "body",
		`{"inner":{"next":{"next":{"name":""}}}}`: "body.inner.next.name",
	} {
		patched, err := patch[Settings](t, document).Apply(current)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.InvalidInput || len(f.Fields) == 0 || f.Fields[0].Location != location {
			t.Errorf("%s: %+v, want a fault at %s", document, err, location)
		}
		if !reflect.DeepEqual(patched, Settings{}) {
			t.Errorf("%s: refused, and yet %+v", document, patched)
		}
	}
}

// FuzzApply holds that a patched resource is valid (patching it with nothing changes nothing), that what
// the patch does not name stays, and that required text is never blanked.
func FuzzApply(f *testing.F) {
	for _, seed := range []string{`{}`, `{"count":1}`, `{"inner":{"name":null}}`, `{"limits":{"a":null}}`, `{"inner":{"next":{"name":"n"}}}`, `null`, `[1]`, `{"born":"2020-01-01"}`, `{"count":1e400}`} {
		f.Add([]byte(seed))
	}
	current := Settings{Count: 7, Open: true, Inner: Inner{Name: "x"}}
	f.Fuzz(func(t *testing.T, document []byte) {
		var p wire.Patch[Settings]
		if json.Unmarshal(document, &p) != nil {
			t.Skip()
		}
		patched, err := p.Apply(current)
		if err != nil {
			var refused *fault.Error
			if !errors.As(err, &refused) || refused.Kind != fault.InvalidInput || len(refused.Fields) == 0 {
				t.Fatalf("%s: %v", document, err)
			}
			return
		}
		if patched.Inner.Name == "" || patched.Count < 0 {
			t.Fatalf("%s: %+v", document, patched)
		}
		if !strings.Contains(string(document), "c") && !strings.Contains(string(document), `\`) && patched.Count != 7 {
			t.Fatalf("%s: %+v", document, patched)
		}
		again, err := patch[Settings](t, `{}`).Apply(patched)
		before, _ := json.Marshal(patched)
		after, _ := json.Marshal(again)
		if err != nil || string(before) != string(after) {
			t.Fatalf("%s: %s, then %s: %v", document, before, after, err)
		}
	})
}

// Package wire is how homeroom speaks HTTP: OpenAPI documents, problems (RFC 9457), pages, merge
// patches (RFC 7396), entity tags (RFC 9110) and dates. It knows nothing of schools.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"
)

const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json"
	problemType    = "application/problem+json"
	schemaPrefix   = "#/components/schemas/"
	bearer         = "bearer"
)

// Document is what an API's OpenAPI document says of the API as a whole.
type Document struct {
	Title       string
	Description string // CommonMark
	Authorize   string // what goes into Authorization: Bearer; CommonMark
	Version     string
	Tags        []*huma.Tag // in the order in which a reader should meet them
}

// NewAPI makes an API whose operations, document (/openapi.json, /openapi.yaml) and reading page
// (/docs) are served by mux; mount it through [Handler]. The middlewares run for every operation, in
// order, and can only be given here: huma silently skips those added after a registration.
//
// Operations need a bearer token unless they say Security: [Public]. Their paths end in a slash. When
// all are registered, [Complete] the document.
func NewAPI(mux *http.ServeMux, doc Document, middlewares ...func(huma.Context, func(huma.Context))) huma.API {
	setup()
	registry := huma.NewMapRegistry(schemaPrefix, schemaName)
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: doc.Title, Description: doc.Description, Version: doc.Version,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The host that serves this document."}},
			Tags:    doc.Tags,
			Components: &huma.Components{
				Schemas:         registry,
				Responses:       map[string]*huma.Response{"Problem": problemResponse(registry)},
				SecuritySchemes: map[string]*huma.SecurityScheme{bearer: {Type: "http", Scheme: bearer, Description: doc.Authorize}},
			},
			Security:       []map[string][]string{{bearer: {}}},
			OnAddOperation: []huma.AddOpFunc{document},
		},
		Formats:                      map[string]huma.Format{jsonType: format, "json": format},
		DefaultFormat:                jsonType,
		RejectUnknownQueryParameters: true,
	}
	inner := humago.New(exactMux{mux}, config)
	inner.UseMiddleware(receive)
	inner.UseMiddleware(middlewares...)
	serveDocument(mux, inner.OpenAPI())
	return api{inner, config}
}

// Public is the Security of an operation that needs no token.
func Public() []map[string][]string { return []map[string][]string{} }

// IsPublic reports whether anyone may use the operation. A middleware that asks this, and asks for a
// token otherwise, can't drift from what the document says.
func IsPublic(op *huma.Operation) bool { return op.Security != nil && len(op.Security) == 0 }

// setup makes huma's process-wide settings ours, once. They are variables of huma's packages, so
// they must be in place before the first schema is made.
var setup = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
	huma.NewError = newError
	huma.NewErrorWithContext = newErrorWithContext
	// These would quote the refused value; the sentence alone says enough.
	validation.MsgExpectedRFC5322Email = "expected an email address%.0v"
	validation.MsgExpectedRFC3986URI = "expected a URI%.0v"
	validation.MsgExpectedRFC4122UUID = "expected a UUID%.0v"
	validation.MsgExpectedRegexp = "expected a regular expression%.0v"
	validation.MsgExpectedDuration = "expected a duration%.0v"
	validation.MsgExpectedRFC3339Date = "expected a date, such as 2026-09-01"
	validation.MsgExpectedRFC3339DateTime = "expected a date and time, such as 2026-09-01T08:30:00Z"
})

// api is huma's API with the negotiation left out: it only speaks JSON, receive has refused those who
// don't take that, and huma's own negotiation panics on some Accept headers ("a;b,c").
type api struct {
	huma.API
	config huma.Config
}

// Negotiate always answers application/json.
func (api) Negotiate(string) (string, error) { return jsonType, nil }

// Config is where huma looks for the settings of an API that isn't its own type.
func (a api) Config() huma.Config { return a.config }

// schemaName names a type in the document: Page[Student] is StudentPage.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if strings.HasPrefix(t.Name(), "Page[") {
		return strings.TrimPrefix(name, "Page") + "Page"
	}
	return name
}

// marshal ignores failing writes: the client is gone, and huma would panic.
func marshal(w io.Writer, v any) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(buffer.Bytes())
	return nil
}

// unmarshal is json.Unmarshal with an error that is fit to be shown: it names neither values nor Go types.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return errors.New(mismatchPrefix + mismatch.Field)
	}
	return errors.New("holds a value of the wrong type")
}

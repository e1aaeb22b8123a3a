package keyset

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/apikey"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

var keys = Order[publicdb.APIKey]{
	Keys: []Key[publicdb.APIKey]{
		{Name: "name", Value: func(k *publicdb.APIKey) string { return k.Name }},
		{Name: "created_at", Value: func(k *publicdb.APIKey) string { return Time(k.CreatedAt) }},
	},
	ID: func(k *publicdb.APIKey) uuid.UUID { return k.ID },
}

// names are in the order of no alphabet in particular; the database knows which.
var names = []string{"b", "a", "B", "a b", "ab", "é", "e", "z'", "%_", `\`, "学校"}

func row(db *publicdb.Client, name string, at time.Time) *publicdb.APIKeyCreate {
	return db.APIKey.Create().SetName(name).SetRole(apikey.RoleViewer).SetSecretHash([]byte{1}).SetCreatedAt(at)
}

// TestPages holds that pages show each row that is there from the first page to the last once, in the
// order of the whole list, and no row twice, whatever comes and goes between the pages.
func TestPages(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.Registry(t).Public(), t.Context()
	start := time.Date(2026, 9, 1, 0, 0, 0, 123_456_000, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		db.APIKey.Delete().ExecX(ctx)
		add := func() *publicdb.APIKey {
			at := start.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "at")) * time.Microsecond)
			return row(db, rapid.SampledFrom(names).Draw(t, "name"), at).SaveX(ctx)
		}
		for range rapid.IntRange(0, 14).Draw(t, "rows") {
			add()
		}
		sort := rapid.SampledFrom([]string{"", "name", "-name", "created_at", "-created_at"}).Draw(t, "sort")
		whole, next, err := List(ctx, db.APIKey.Query(), keys, Page{Limit: 99, Sort: sort})
		if err != nil || next != "" {
			t.Fatalf("the whole list: %q, %v", next, err)
		}
		expect := ids(whole)
		changing := rapid.Bool().Draw(t, "changing")
		var seen []uuid.UUID
		for page := (Page{Limit: rapid.IntRange(1, 6).Draw(t, "limit"), Sort: sort}); ; {
			rows, next, err := List(ctx, db.APIKey.Query(), keys, page)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, ids(rows)...)
			if next == "" {
				break
			}
			if len(rows) != page.Limit {
				t.Fatalf("a page of %d that is not the last has %d", page.Limit, len(rows))
			}
			page.Cursor = next
			if changing {
				add()
				gone := rapid.SampledFrom(whole).Draw(t, "gone").ID // perhaps the very last that was shown
				db.APIKey.Delete().Where(apikey.ID(gone)).ExecX(ctx)
				expect = slices.DeleteFunc(expect, func(id uuid.UUID) bool { return id == gone })
			}
		}
		once := map[uuid.UUID]bool{}
		for _, id := range seen {
			if once[id] {
				t.Fatalf("%s is shown twice", id)
			}
			once[id] = true
		}
		if shown := slices.DeleteFunc(seen, func(id uuid.UUID) bool { return !slices.Contains(expect, id) }); !slices.Equal(shown, expect) {
			t.Fatalf("shown %v\nwant %v", shown, expect)
		}
	})
}

func ids(rows []*publicdb.APIKey) []uuid.UUID {
	ids := []uuid.UUID{}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

func TestForeignCursors(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.Registry(t).Public(), t.Context()
	for _, name := range names {
		row(db, name, time.Now()).SaveX(ctx)
	}
	_, own, err := List(ctx, db.APIKey.Query(), keys, Page{Limit: 2, Sort: "name"})
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	const id = `"i":"01890a5d-ac96-774b-bcce-b302099a8057"`
	for _, test := range []struct{ sort, cursor string }{
		{"-name", own},
		{"created_at", own},
		{"", own},
		{"name", own[1:]},
		{"name", own + "="},
		{"name", own + own},
		{"name", "not base64!"},
		{"name", text(`null`)},
		{"name", text(`{}`)},
		{"name", text(`[]`)},
		{"name", text(`"name"`)},
		{"name", text(`{"s":"name","v":7,` + id + `}`)},
		{"name", text(`{"s":"name","v":"x","i":"x"}`)},
		{"name", text(`{"s":"name","v":"a\u0000b",` + id + `}`)},
		{"created_at", text(`{"s":"created_at","v":"x",` + id + `}`)},
		{"created_at", text(`{"s":"created_at","v":"",` + id + `}`)},
		{"created_at", text(`{"s":"created_at","v":"2026-13-41T00:00:00Z",` + id + `}`)},
		{"created_at", text(`{"s":"created_at","v":"');DROP TABLE api_keys;--",` + id + `}`)},
	} {
		rows, next, err := List(ctx, db.APIKey.Query(), keys, Page{Limit: 2, Sort: test.sort, Cursor: test.cursor})
		if f := fault.Of(err); rows != nil || next != "" || f.Kind != fault.InvalidInput || len(f.Fields) != 1 || f.Fields[0].Location != "query.cursor" {
			t.Errorf("sorted by %s, cursor %s: %v %q %v", test.sort, test.cursor, rows, next, err)
		}
	}
	for _, sort := range []string{"secret_hash", "id", "--name", "name ", "Name", "-", `name"; --`} {
		_, _, err := List(ctx, db.APIKey.Query(), keys, Page{Limit: 2, Sort: sort})
		if f := fault.Of(err); f.Kind != fault.InvalidInput || f.Fields[0].Location != "query.sort" {
			t.Errorf("sorted by %s: %v", sort, err)
		}
	}
	if n := db.APIKey.Query().CountX(ctx); n != len(names) {
		t.Errorf("%d rows are left", n)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 1, 1, 2, 3, 123_456_000, time.FixedZone("", 3600))
	if got := Time(at) + " " + Date(at); got != "2026-09-01T00:02:03.123456Z 2026-09-01" {
		t.Error(got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("")
	f.Add(encode(position{"-name", "é\x00", uuid.Max}))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := decode(cursor)
		if err != nil {
			return
		}
		again, err := decode(encode(p))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Errorf("%q: %v, again %v, %v", cursor, p, again, err)
		}
	})
}

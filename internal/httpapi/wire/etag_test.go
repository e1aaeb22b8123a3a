package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	tag := wire.ETag(updatedAt)
	for header, matches := range map[string]bool{
		"": true, "*": true, " * ": true, tag: true, " " + tag + "\t": true, `"x",` + tag: true, `"x" , ,` + tag + ` ,"y"`: true,
		`"a,b", ` + tag: true, "W/" + tag: false, `"x"`: false, `"`: false, "x": false, tag[1 : len(tag)-1]: false,
		tag + tag: false, tag + ` x`: false, `"` + tag: false, "**": false, "*, " + tag: false, "w/" + tag: false, `W/"x", ` + tag: true,
	} {
		err := wire.IfMatch{IfMatch: header}.Check(updatedAt)
		if (err == nil) != matches || err != nil && !fault.Is(err, fault.PreconditionFailed) {
			t.Errorf("%q: %v, want a match: %t", header, err, matches)
		}
	}
	if wire.ETag(updatedAt) != wire.ETag(updatedAt.Add(time.Nanosecond).In(time.FixedZone("", 3600))) {
		t.Error("a tag depends on the zone, or on more than microseconds")
	}
	if wire.ETag(updatedAt) == wire.ETag(updatedAt.Add(time.Microsecond)) {
		t.Error("a microsecond makes no difference")
	}
}

// TestShownTag holds that whoever has seen another state gets the new one, and that it is no change.
func TestShownTag(t *testing.T) {
	t.Parallel()
	seen, used := wire.NewShown("seen", updatedAt).ETag, wire.NewShown("used", updatedAt).ETag
	changed := wire.NewShown("seen", updatedAt.Add(time.Second)).ETag
	if seen == used || seen == changed || seen != wire.NewShown("seen", updatedAt).ETag {
		t.Errorf("%s %s %s", seen, used, changed)
	}
	for _, tag := range []string{seen, used, wire.ETag(updatedAt), `"x", ` + used} {
		if err := (wire.IfMatch{IfMatch: tag}).Check(updatedAt); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
	for _, tag := range []string{changed, "W/" + seen, strings.Replace(seen, ".", "0.", 1), seen[:len(seen)-1]} {
		if err := (wire.IfMatch{IfMatch: tag}).Check(updatedAt); !fault.Is(err, fault.PreconditionFailed) {
			t.Errorf("%s: %v", tag, err)
		}
	}
}

// FuzzIfMatch holds that a list in which the tag does not occur never matches, and that a good list goes
// on matching with the tag at its end.
func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{"", "*", `"a"`, `W/"a", "b"`, `"a,b"`, `"`, `W/`, ",,", "\"\x00\""} {
		f.Add(seed)
	}
	tag := wire.ETag(updatedAt)
	f.Fuzz(func(t *testing.T, header string) {
		err := wire.IfMatch{IfMatch: header}.Check(updatedAt)
		if err == nil && strings.Trim(header, " \t") != "*" && header != "" && !strings.Contains(header, strings.TrimSuffix(tag, `"`)) {
			t.Fatalf("%q matches", header)
		}
		if list := header + ", " + tag; err == nil && header != "*" && strings.Contains(header, tag) {
			if err := (wire.IfMatch{IfMatch: list}).Check(updatedAt); err != nil {
				t.Fatalf("%q does not match", list)
			}
		}
	})
}

func TestDate(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"1900-01-01": true, "2200-12-31": true, "2024-02-29": true, "2023-02-29": false, "1899-12-31": false, "2201-01-01": false,
		"2024-2-9": false, "2024-02-29T00:00:00Z": false, "": false, "0001-01-01": false,
	} {
		var d wire.Date
		err := d.UnmarshalText([]byte(text))
		if (err == nil) != ok || ok && (d.String() != text || wire.NewDate(d.Time()) != d || *wire.DateOf(d.TimePtr()) != d) || !ok && !d.IsZero() {
			t.Errorf("%s: %v %v", text, d, err)
		}
	}
	if wire.DateOf(nil) != nil || (*wire.Date)(nil).TimePtr() != nil || (&wire.Date{}).TimePtr() != nil {
		t.Error("no date becomes a date")
	}
	late := time.Date(2024, 5, 6, 23, 0, 0, 0, time.FixedZone("", -5*3600))
	if got := wire.NewDate(late).String(); got != "2024-05-06" {
		t.Errorf("%s", got)
	}
}

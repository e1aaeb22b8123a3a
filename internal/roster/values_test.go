package roster

import (
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"11/1/98": "1998-11-01", "4/2/07": "2007-04-02", "8/1/15": "2015-08-01", "2/29/04": "2004-02-29",
		"3/1/26": "2026-03-01", "3/2/26": "1926-03-02", "1/1/00": "2000-01-01", "01/09/1998": "1998-01-09",
		"1998-11-01": "1998-11-01", "2026-03-01": "2026-03-01",
		"02/29/2005": "", "2/29/05": "", "2026-03-02": "", "1899-12-31": "", "13/1/98": "", "0/1/98": "", "1/0/98": "",
		"4/31/98": "", "1/1/998": "", "1/1/0098": "", "98-11-01": "", "1998/11/01": "", "1/1": "", "1/1/98/1": "",
		"-1/1/98": "", "+1/1/98": "", "": "", "/": "", "//": "", "--": "", "001/1/98": "", "1/1/98 ": "", "a/b/cd": "",
		"1/1/98\x00": "", "١/١/٩٨": "",
	} {
		got := ""
		if date, ok := parseDate(text, today); ok {
			got = date.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"11/1/98", "02/29/2005", "1998-11-01", "1/1/", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		date, ok := parseDate(text, today)
		if !ok {
			return
		}
		if date.After(today) || date.Year() < earliestYear {
			t.Errorf("%q is %v", text, date)
		}
		for _, layout := range []string{time.DateOnly, "1/2/2006", "1/2/06"} {
			if again, ok := parseDate(date.Format(layout), today); layout != "1/2/06" && (!ok || !again.Equal(date)) {
				t.Errorf("%q is %v, and that %v", text, date, again)
			}
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		parse func(string) (string, bool)
		cases map[string]string // not ok is ""
	}{
		{"grade", parseGrade, map[string]string{
			"Kindergarten": "K", "k": "K", "KG": "K", "0": "K", "00": "K", "PreK": "PreK", "Pre-K": "PreK", "PK": "PreK",
			"PreKindergarten": "PreK", "TK": "TK", "1": "1", "09": "9", "12": "12", "9th": "9", "Grade 10": "10", "1st grade": "1",
			"13": "", "-1": "1", "": "", "nine": "", "99999999999999999999": "",
		}},
		{"gender", parseGender, map[string]string{
			"female": "female", "F": "female", "Male": "male", "m": "male", "X": "other", "non-binary": "other", "?": "", "": "",
		}},
		{"email", parseEmail, map[string]string{
			"Ann.Lee@Example.ORG": "Ann.Lee@example.org", "o'neil+x@a.b": "o'neil+x@a.b", "zoë@exämple.org": "zoë@exämple.org",
			"": "", "a": "", "a@": "", "@b.c": "", "a@b": "", "a@b.": "", "a@.b": "", "a@b..c": "", "a@b@c.d": "", "a b@c.d": "",
			"a@c.d, e@f.g": "", "Ann <a@b.c>": "",
		}},
		{"phone", parsePhone, map[string]string{
			"(336)533-1632 x218": "(336)533-1632 x218", "1-919-721-2809 ext. 7": "1-919-721-2809 ext. 7", "n/a": "", "": "", "123": "",
			"5551212 (call the neighbour first, then the office)": "",
		}},
	} {
		for text, want := range tt.cases {
			if got, ok := tt.parse(text); ok != (want != "") || ok && got != want {
				t.Errorf("%s %q: got %q %v, want %q", tt.name, text, got, ok, want)
			}
		}
	}
	for text, want := range map[string]string{"Y": "yes", "yes": "yes", "TRUE": "yes", "1": "yes", "N": "no", "f": "no", "0": "no", "?": "", "": ""} {
		yes, ok := parseFlag(text)
		if got := map[bool]string{true: "yes", false: "no"}[yes]; ok != (want != "") || ok && got != want {
			t.Errorf("flag %q: got %v %v, want %q", text, yes, ok, want)
		}
	}
}

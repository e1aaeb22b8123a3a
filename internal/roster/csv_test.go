package roster

import (
	"encoding/csv"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func scanAll(text string, width int) (all []record) {
	s := newScanner([]byte(text))
	for {
		rec, ok := s.next(width)
		if !ok {
			return all
		}
		all = append(all, rec)
	}
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, want string // line [fields] fault; ...
	}{
		{"line ends", "a,b\rc,d\r\ne,f\ng,h", "1 [a b]; 2 [c d]; 3 [e f]; 4 [g h]"},
		{"blank rows", "\n\na,b\r\r\n,,\n , \nc,d\n\n", "3 [a b]; 7 [c d]"},
		{"quoted", "\"a,\"\"x\"\"\",\"b\rc\r\nd\ne\"\rf,g\r", "1 [a,\"x\" b\nc\nd\ne]; 5 [f g]"},
		{"quotes inside", "Ann \"Bo\" Lee,6\"\nc,d", `1 [Ann "Bo" Lee 6"]; 2 [c d]`},
		{"quote not doubled", "\"Ann \"Bo\" Lee\",x\nc,d", "1 [] a quote inside a quoted field is not doubled; 2 [c d]"},
		{"quote left open", "a,\"b\nc,d\ne,\"f\",\ng,h", "1 [a \"b] a quoted field doesn't end where it should; 2 [c d]; 3 [e f ] the row has 3 fields where the first line has 2; 4 [g h]"},
		{"quote open at the end", "a,b\nc,\"d", "1 [a b]; 2 [c] a quote is opened and not closed"},
		{"widths", "a\nb,c,d\ne,f", "1 [a] the row has 1 fields where the first line has 2; 2 [b c d] the row has 3 fields where the first line has 2; 3 [e f]"},
		{"NUL", "a,b\x00\nc,d", "1 [a b\x00] the row holds the control character 0x00; 2 [c d]"},
		{"BOM", "\uFEFF\"a\",b", "1 [a b]"},
		{"Latin-1", "Jos\xe9,\x80\nJosé,€", "1 [José €]; 2 [José €]"},
		{"UTF-16", "\xff\xfea\x00,\x00\xe9\x00\r\x00c\x00,\x00d\x00", "1 [a é]; 2 [c d]"},
		{"neither", "\x81,b", "1 [\uFFFD b] the row is neither UTF-8 nor Windows-1252"},
		{"empty", "", ""},
		{"long", strings.Repeat("x", maxFieldLength+1) + ",y\nc,d", "1 [] a field is longer than 10000 characters; 2 [c d]"},
	} {
		var got []string
		for _, r := range scanAll(tt.text, 2) {
			got = append(got, strings.TrimSpace(fmt.Sprintln(r.line, r.fields, r.fault)))
		}
		if joined := strings.Join(got, "; "); joined != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, joined, tt.want)
		}
	}
}

// FuzzScanner holds the scanner against encoding/csv, which must agree on what both can read.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\"\"\",\"b\r\nc\"\r\n", "a\rb", "\xff\xfea\x00", "\"", "a,\"b\nc,d\ne,\"f\",\n", "\"\n\",\"\n\","} {
		f.Add(seed, 2)
	}
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = max(0, width%8)
		got := scanAll(text, width)
		line := 0
		for _, r := range got {
			if r.line <= line {
				t.Fatalf("line %d after %d", r.line, line)
			}
			line = r.line
			if width > 0 && r.fault == "" && len(r.fields) != width {
				t.Fatalf("line %d has %d fields", r.line, len(r.fields))
			}
		}
		if ends := strings.Count(lineEnds.Replace(decode([]byte(text))), "\n"); line > ends+1 {
			t.Fatalf("line %d of %d", line, ends+1)
		}
		if strings.ContainsAny(text, "\r\x00") {
			return
		}
		want, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(want) == 0 || len(want) != len(got) || strings.HasPrefix(text, "\uFEFF") {
			return
		}
		for i, r := range got {
			if r.fault == "" && strings.ToValidUTF8(text, "") == text && !reflect.DeepEqual(r.fields, want[i]) {
				t.Fatalf("row %d: got %q, encoding/csv %q", i, r.fields, want[i])
			}
		}
	})
}

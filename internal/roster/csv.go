package roster

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Limits far above any roster's: what is longer or wider is a quote gone astray.
const (
	maxFieldLength = 10_000
	maxFields      = 500
)

// record is one row of a CSV file. A record with a fault holds the fields in front of it.
type record struct {
	line   int // the physical line it begins on, counted from 1
	fields []string
	fault  string
}

// scanner cuts a CSV text into records. encoding/csv won't do here: it doesn't know a lone CR, and
// a quote left open costs it the rest of the file. This one gives up the quote's line alone.
type scanner struct {
	text string
	pos  int
	line int
}

func newScanner(raw []byte) *scanner { return &scanner{text: decode(raw), line: 1} }

// decode turns UTF-16 with a byte order mark into UTF-8 and takes UTF-8's own mark away. Text in
// Windows-1252 stays as it is: each record is looked at by itself, as files are often pieced together.
func decode(raw []byte) string {
	if len(raw) < 2 || !(raw[0] == 0xFF && raw[1] == 0xFE || raw[0] == 0xFE && raw[1] == 0xFF) {
		return strings.TrimPrefix(string(raw), "\uFEFF")
	}
	high, low := 0, 1
	if raw[0] == 0xFF {
		high, low = 1, 0
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 2; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i+high])<<8|uint16(raw[i+low]))
	}
	return string(utf16.Decode(units))
}

// next returns the next record that is not blank. width is how many fields it should have, 0 where
// that isn't known yet.
func (s *scanner) next(width int) (record, bool) {
	for s.pos < len(s.text) {
		start, line := s.pos, s.line
		fields, fault := s.scan(width)
		wrong := fault != "" || width > 0 && len(fields) != width
		if wrong && s.line > line+1 {
			// A stray quote has swallowed the lines below: give them back.
			s.pos = start
			s.skipLine()
			s.line = line + 1
			fault = "a quoted field doesn't end where it should"
			fields = strings.Split(strings.TrimRight(s.text[start:s.pos], "\r\n"), ",")
		}
		raw := s.text[start:s.pos]
		if strings.Trim(raw, ", \t\r\n") == "" {
			continue // spreadsheets leave rows of nothing but commas
		}
		if fault == "" && width > 0 && len(fields) != width {
			fault = fmt.Sprintf("the row has %d fields where the first line has %d", len(fields), width)
		}
		fields, fault = readable(raw, fields, fault)
		return record{line, fields, fault}, true
	}
	return record{}, false
}

// readable brings the fields of raw to UTF-8 and refuses control characters, which PostgreSQL (NUL)
// or whoever reads the records later can't take.
func readable(raw string, fields []string, fault string) ([]string, string) {
	for i := range len(raw) {
		if c := raw[i]; c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7F {
			return fields, fmt.Sprintf("the row holds the control character 0x%02X", c)
		}
	}
	if utf8.ValidString(raw) {
		return fields, fault
	}
	for i, field := range fields {
		fields[i], _ = charmap.Windows1252.NewDecoder().String(field) // has a rune for every byte
		if strings.ContainsRune(fields[i], utf8.RuneError) {
			fault = "the row is neither UTF-8 nor Windows-1252"
		}
	}
	return fields, fault
}

// scan reads one record and its line end. On a fault it stops at the end of the line it is on.
func (s *scanner) scan(width int) (fields []string, fault string) {
	if width > 0 {
		fields = make([]string, 0, width)
	}
	for {
		var field string
		if s.peek() == '"' {
			field, fault = s.quoted()
		} else {
			field, fault = s.bare()
		}
		if fault != "" {
			s.skipLine()
			return fields, fault
		}
		if fields = append(fields, field); len(fields) > maxFields {
			s.skipLine()
			return fields, fmt.Sprintf("the row has more than %d fields", maxFields)
		}
		if s.peek() != ',' {
			s.skipLine()
			return fields, ""
		}
		s.pos++
	}
}

// peek returns the byte at hand, LF at the end of the text.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return '\n'
}

// bare reads a field without quotes around it; those inside it are its own.
func (s *scanner) bare() (field, fault string) {
	start := s.pos
	for c := s.peek(); c != ',' && c != '\r' && c != '\n'; c = s.peek() {
		s.pos++
	}
	if s.pos-start > maxFieldLength {
		return "", fmt.Sprintf("a field is longer than %d characters", maxFieldLength)
	}
	return s.text[start:s.pos], ""
}

// quoted reads a field in quotes, which may hold commas, line ends and doubled quotes.
func (s *scanner) quoted() (field, fault string) {
	s.pos++
	start := s.pos
	for s.pos < len(s.text) && s.pos-start <= maxFieldLength {
		switch s.text[s.pos] {
		case '\r', '\n':
			s.endLine()
		case '"':
			s.pos++
			switch s.peek() {
			case '"':
				s.pos++
			case ',', '\r', '\n':
				return unquote(s.text[start : s.pos-1]), ""
			default:
				return "", "a quote inside a quoted field is not doubled"
			}
		default:
			s.pos++
		}
	}
	return "", "a quote is opened and not closed"
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func unquote(s string) string {
	if strings.ContainsAny(s, "\"\r") {
		s = lineEnds.Replace(strings.ReplaceAll(s, `""`, `"`))
	}
	return s
}

// skipLine moves behind the next line end.
func (s *scanner) skipLine() {
	for c := s.peek(); c != '\r' && c != '\n'; c = s.peek() {
		s.pos++
	}
	s.endLine()
}

// endLine moves behind the line end at hand: LF, CRLF or a lone CR.
func (s *scanner) endLine() {
	if strings.HasPrefix(s.text[min(s.pos, len(s.text)):], "\r\n") {
		s.pos++
	}
	s.pos = min(s.pos+1, len(s.text))
	s.line++
}

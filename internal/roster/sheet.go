package roster

import (
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is read.
const (
	maxFileSize = 256 << 20
	maxRows     = 5_000_000
)

// Limits of values in bytes, as a school's tables have them.
const (
	maxID    = 60
	maxName  = 100
	maxTitle = 200
	maxEmail = 254
	maxPhone = 40
	maxTerm  = 80
	maxShort = 20
	maxCode  = 40
)

// sheet is one file of an export.
type sheet struct {
	in      *reader
	file    string
	noun    string // what a row is
	columns map[string]int
	width   int
	rows    *scanner
}

// open reads a file and its first line; it returns nil where the rows can't be examined.
func (in *reader) open(file, noun string, columns []string) *sheet {
	text, reason := readFile(in.fsys, file)
	if reason != "" {
		in.add(Problem{File: file, Line: 1, Reason: reason})
		return nil
	}
	t := &sheet{in: in, file: file, noun: noun, columns: map[string]int{}, rows: newScanner(text)}
	header, ok := t.rows.next(0)
	if !ok {
		header.line, header.fault = 1, "the file is empty"
	} else if header.fault == "" {
		header.fault = t.setHeader(header.fields, columns)
	}
	if header.fault != "" {
		in.add(Problem{File: file, Line: header.line, Reason: header.fault})
		return nil
	}
	return t
}

func readFile(fsys fs.FS, file string) (text []byte, reason string) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, "the file is missing or may not be read"
	}
	defer func() { _ = f.Close() }()
	text, err = io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return nil, "the file can't be read"
	case len(text) > maxFileSize:
		return nil, fmt.Sprintf("the file is larger than %d MiB", maxFileSize>>20)
	}
	return text, ""
}

// setHeader finds the needed columns. All of them must be there, as a column that is only left out
// of one export would otherwise empty its field in every record.
func (t *sheet) setHeader(header, needed []string) (fault string) {
	twice := map[string]bool{}
	for i, name := range header {
		key := columnKey(name)
		_, twice[key] = t.columns[key]
		t.columns[key] = i
	}
	t.width = len(header)
	var missing, doubled []string
	for _, name := range needed {
		key := columnKey(name)
		if _, ok := t.columns[key]; !ok {
			missing = append(missing, name)
		} else if twice[key] {
			doubled = append(doubled, name)
		}
	}
	if len(missing) > 0 {
		return "missing column " + strings.Join(missing, ", ")
	}
	if len(doubled) > 0 {
		return "there twice: column " + strings.Join(doubled, ", ")
	}
	return ""
}

var columnNoise = strings.NewReplacer(" ", "", "_", "", "\u00a0", "")

func columnKey(name string) string {
	return columnNoise.Replace(strings.ToLower(strings.TrimSpace(name)))
}

// each yields the rows, also those that can't be read: their ids are known to others.
func (t *sheet) each() iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for n := 0; ; n++ {
			rec, ok := t.rows.next(t.width)
			if !ok {
				return
			}
			r := &row{sheet: t, record: rec}
			if n == maxRows {
				t.in.add(Problem{File: t.file, Line: rec.line, Reason: fmt.Sprintf("the file has more than %d rows", maxRows)})
				return
			}
			t.in.attribute(r)
			if r.fault != "" {
				r.fail("%s", r.fault)
				r.silent = true
			}
			if !yield(r) {
				return
			}
		}
	}
}

// row is a record whose values are read by column.
type row struct {
	*sheet
	record
	school *School // nil where the row names none that is known
	failed bool    // the row has an error
	silent bool    // and what else is wrong with it only follows from that
}

// fail reports an error of the row.
func (r *row) fail(format string, args ...any) {
	severity := Error
	if r.in.SkipInvalid {
		severity = LeftOut
	}
	r.failed = true
	r.add(severity, fmt.Sprintf(format, args...))
}

// warn reports a value that the row can do without.
func (r *row) warn(format string, args ...any) {
	if r.in.Strict {
		r.fail(format, args...)
		return
	}
	r.add(Warning, fmt.Sprintf(format, args...)+"; the "+r.noun+" comes in without it")
}

func (r *row) add(severity Severity, reason string) {
	if r.silent {
		return
	}
	p := Problem{File: r.file, Line: r.line, Severity: severity, Reason: reason}
	if r.school != nil {
		p.School = r.school.SourceID
	}
	r.in.add(p)
}

// value returns a column's text, trimmed and with its inner white space folded; empty without that column.
func (r *row) value(column string) string {
	i, ok := r.columns[column]
	if !ok {
		if i, ok = r.columns[columnKey(column)]; !ok {
			i = -1
		}
		r.columns[column] = i
	}
	if i < 0 || i >= len(r.fields) {
		return ""
	}
	return fold(r.fields[i])
}

// fold trims white space and makes each run of it inside one space.
func fold(text string) string {
	if strings.IndexFunc(text, unicode.IsSpace) < 0 {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

// label is a column in plain words.
func label(column string) string {
	if column == "Dob" {
		return "date of birth"
	}
	return strings.ToLower(strings.ReplaceAll(column, "_", " "))
}

// need returns a value that the row can't do without.
func (r *row) need(column string, limit int) string {
	text := r.value(column)
	switch {
	case text == "":
		r.fail("the %s is missing", label(column))
	case utf8.RuneCountInString(text) > limit:
		r.fail("the %s is longer than %d characters", label(column), limit)
	}
	return text
}

// text returns a value that the row can do without.
func (r *row) text(column string, limit int) string {
	text := r.value(column)
	if utf8.RuneCountInString(text) > limit {
		r.warn("the %s is longer than %d characters", label(column), limit)
		return ""
	}
	return text
}

// parsed returns a value that parse understands. The value itself stays out of the problem: with
// columns mixed up it may be anything.
func (r *row) parsed(column, kind string, parse func(string) (string, bool)) string {
	text := r.value(column)
	if text == "" {
		return ""
	}
	parsed, ok := parse(text)
	if !ok {
		r.warn("the %s is no %s", label(column), kind)
		return ""
	}
	return parsed
}

func (r *row) flag(column string) *bool {
	text := r.value(column)
	yes, ok := parseFlag(text)
	switch {
	case text == "":
		return nil
	case !ok:
		r.warn("the %s is neither Y nor N", label(column))
		return nil
	}
	return &yes
}

// date returns a day and what is wrong with it, if anything.
func (r *row) date(column string, latest time.Time) (date time.Time, wrong string) {
	text := r.value(column)
	date, ok := parseDate(text, latest)
	if ok {
		return date, ""
	}
	wrong = "is no date"
	if _, ok := parseDate(text, latest.AddDate(1000, 0, 0)); ok {
		wrong = "lies too far ahead"
	}
	if len(text) > 12 || strings.Trim(text, "0123456789/-") != "" {
		return date, "the " + label(column) + " " + wrong
	}
	return date, fmt.Sprintf("%s %q %s", label(column), text, wrong)
}

// needDate returns a day that the row can't do without.
func (r *row) needDate(column string, latest time.Time) time.Time {
	if r.value(column) == "" {
		r.fail("the %s is missing", label(column))
		return time.Time{}
	}
	date, wrong := r.date(column, latest)
	if wrong != "" {
		r.fail("%s", wrong)
	}
	return date
}

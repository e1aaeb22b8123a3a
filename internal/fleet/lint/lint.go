// Package lint finds what is dangerous in a migration before it meets the schools: lost data, long
// locks, names that leave the schema.
//
// It reads SQL with PostgreSQL's own parser and needs no database. The bodies of functions are text to
// that parser and are not looked into, but for the name of the public schema.
package lint

import (
	"strings"

	"ariga.io/atlas/sql/migrate"
)

// Finding is a rule that a statement breaks.
type Finding struct {
	Rule      string `json:"rule"`
	Severity  string `json:"severity"` // error or warning
	File      string `json:"file"`
	Line      int    `json:"line"`
	Statement string `json:"statement"` // how it begins
	Why       string `json:"why"`
	Instead   string `json:"instead"`
}

// Files lints the files of a directory that are new; the ones before them say what the tables are. The
// files may name no schema but the given one, and none if it is "".
func Files(files []migrate.File, schema string, isNew func(migrate.File) bool) []Finding {
	tables := tables{types: map[string]typeName{}, notNull: map[string]string{}, proven: map[string]bool{}}
	var found []Finding
	for _, f := range files {
		l := &linter{file: f, schema: schema, tables: tables, created: map[string]bool{}}
		if local, ok := f.(*migrate.LocalFile); ok {
			mode := local.Directive("txmode")
			l.noTransaction = len(mode) > 0 && mode[len(mode)-1] == "none"
		}
		l.lint()
		if isNew(f) {
			found = append(found, l.silence()...)
		}
	}
	return found
}

// linter goes through one file.
type linter struct {
	file          migrate.File
	schema        string
	noTransaction bool // atlas:txmode none
	tables        tables
	created       map[string]bool // the tables that this file makes: nobody waits for their locks
	starts        []int           // the line of each statement
	found         []Finding
}

func (l *linter) lint() {
	declared, err := l.file.StmtDecls()
	if err != nil {
		l.found = append(l.found, l.finding(syntax, 1, "", err.Error()))
		return
	}
	for _, d := range declared {
		at := min(max(d.Pos, 0), len(l.file.Bytes()))
		line := 1 + strings.Count(string(l.file.Bytes()[:at]), "\n")
		l.starts = append(l.starts, line)
		statements, err := parse(d.Text)
		if err != nil {
			l.found = append(l.found, l.finding(syntax, line, d.Text, err.Error()))
			continue
		}
		for _, s := range statements {
			for _, broken := range l.check(s) {
				l.found = append(l.found, l.finding(broken.rule, line, d.Text, broken.what))
			}
			l.learn(s)
		}
	}
}

func (l *linter) finding(r *rule, line int, text, what string) Finding {
	why := r.why
	if what != "" {
		why = what + ": " + why
	}
	return Finding{r.name, r.severity, l.file.Name(), line, start(text), why, r.instead}
}

// start is how a statement begins, on one line.
func start(text string) string {
	const most = 72
	line := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	if len(line) > most {
		return string(line[:most]) + "..."
	}
	return string(line)
}

package lint

import (
	"slices"
	"strings"
)

// exception is a nolint line.
type exception struct {
	line, covers int // covers is the line of a statement, 0 for all of them, -1 for none
	text         string
	rule         string
	used         bool
}

// silence takes away the findings that nolint lines of the file name, and adds those about the lines.
func (l *linter) silence() []Finding {
	exceptions := l.exceptions()
	kept := slices.DeleteFunc(l.found, func(f Finding) bool {
		silent := false
		for i := range exceptions {
			if e := &exceptions[i]; e.rule == f.Rule && (e.covers == 0 || e.covers == f.Line) {
				e.used, silent = true, true
			}
		}
		return silent
	})
	for _, e := range exceptions {
		switch {
		case e.rule == "":
			kept = append(kept, l.finding(nolint, e.line, e.text, "no rule and reason"))
		case !slices.ContainsFunc(rules, func(r *rule) bool { return r.name == e.rule }):
			kept = append(kept, l.finding(nolint, e.line, e.text, "there is no rule "+e.rule))
		case !e.used:
			kept = append(kept, l.finding(nolint, e.line, e.text, "it silences nothing"))
		case len(strings.Fields(e.text)) < 4:
			kept = append(kept, l.finding(nolint, e.line, e.text, "no reason"))
		}
	}
	slices.SortStableFunc(kept, func(a, b Finding) int { return a.Line - b.Line })
	return kept
}

// exceptions reads the nolint lines: of the file's head, which ends with an empty line, and of the
// comments right above a statement.
func (l *linter) exceptions() (found []exception) {
	lines := strings.Split(string(l.file.Bytes()), "\n")
	comment := func(i int) bool { return i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), "--") }
	head := 0
	for comment(head) {
		head++
	}
	if head < len(lines) && strings.TrimSpace(lines[head]) != "" {
		head = 0
	}
	for i, line := range lines {
		text, is := strings.CutPrefix(strings.TrimSpace(line), "--")
		words := strings.Fields(text)
		if !is || len(words) == 0 || words[0] != "homeroom:nolint" {
			continue
		}
		e := exception{line: i + 1, text: strings.TrimSpace(line)}
		if len(words) > 1 {
			e.rule = words[1]
		}
		if i >= head {
			e.covers = -1
			next := i
			for comment(next) {
				next++
			}
			if slices.Contains(l.starts, next+1) {
				e.covers = next + 1
			}
		}
		found = append(found, e)
	}
	return found
}

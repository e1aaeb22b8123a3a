package roster

import (
	"fmt"
	"slices"
)

// Severity is what a problem means for the row it was found in.
type Severity int

// The severities.
const (
	Error   Severity = iota // nothing of the school may be written
	LeftOut                 // the row is left out, as was asked for
	Warning                 // the row comes in without a value
)

// Problem is something wrong with an export.
type Problem struct {
	File     string
	Line     int    // the physical line, counted from 1
	School   string // the source id of the school it concerns; empty if it concerns all
	Severity Severity
	Reason   string // holds ids and dates but no names, numbers or addresses of people
}

// String returns the problem as file:line: reason.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s%s", p.File, p.Line, [...]string{"", "left out: ", "warning: "}[p.Severity], p.Reason)
}

// Problems are all that is wrong with an export, by file and line.
type Problems []Problem

// Block reports whether the school of that source id must not be written.
func (ps Problems) Block(sourceID string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		return p.Severity == Error && (p.School == "" || p.School == sourceID)
	})
}

// Count returns how many problems are of a severity.
func (ps Problems) Count(of Severity) (n int) {
	for _, p := range ps {
		if p.Severity == of {
			n++
		}
	}
	return n
}

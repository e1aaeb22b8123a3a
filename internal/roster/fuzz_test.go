package roster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func FuzzReadDistrict(f *testing.F) {
	for _, file := range slices.Sorted(maps.Keys(small)) {
		f.Add(file, small[file], false)
		f.Add(file, strings.ReplaceAll(small[file], "\n", "\r"), true)
	}
	f.Fuzz(func(t *testing.T, file, text string, skip bool) {
		fsys := smallFS(func(name, original string) string {
			if name == file {
				return text
			}
			return original
		})
		d, problems := ReadDistrict(fsys, ReadOptions{SkipInvalid: skip, Today: today})
		for _, p := range problems {
			if p.Line < 1 || p.Reason == "" {
				t.Errorf("%v", p)
			}
		}
		for _, s := range d.Schools {
			if !problems.Block(s.SourceID) {
				checkConsistent(t, s)
			}
		}
	})
}

// checkConsistent checks what Import takes for granted of a school that nothing blocks.
func checkConsistent(t *testing.T, s *School) {
	t.Helper()
	known := map[string]bool{}
	add := func(kind string, values ...string) {
		id := fmt.Sprintf("%s %q", kind, values)
		if known[id] || slices.Contains(values, "") {
			t.Errorf("%s is empty or there twice", id)
		}
		known[id] = true
	}
	refer := func(kind, value string) {
		if id := fmt.Sprintf("%s %q", kind, []string{value}); !known[id] {
			t.Errorf("%s is not there", id)
		}
	}
	for _, teacher := range s.Teachers {
		add("teacher", teacher.SourceID)
		add("teacher's number", teacher.Number)
	}
	for _, student := range s.Students {
		add("student", student.SourceID)
		add("student's number", student.Number)
	}
	for _, section := range s.Sections {
		add("section", section.SourceID)
		for _, id := range section.TeacherIDs {
			refer("teacher", id)
		}
		if !section.Term.Starts.Before(section.Term.Ends) {
			t.Errorf("section %q: %v", section.SourceID, section.Term)
		}
	}
	for _, e := range s.Enrollments {
		add("enrollment", e.StudentID, e.SectionID)
		refer("student", e.StudentID)
		refer("section", e.SectionID)
	}
}

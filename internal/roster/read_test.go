package roster

import (
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// small is a district of two schools; teacher t2 of the second teaches in the first, too.
var small = map[string]string{
	"schools.csv": "School_id,School_name,State_id\nA1,Ash School,1\nB2,Birch School,2\n",
	"teachers.csv": "School_id,Teacher_id,Teacher_number,State_teacher_id,Last_name,Middle_name,First_name,Teacher_email,Title,Username\n" +
		"A1,t1,11,,\"Núñez, Jr.\",,José,jose@example.org,Teacher,jose\n" +
		"B2,t2,12,,O'Hara,\"\",Zoë,zoe@example.org,Teacher,zoe\n" +
		"B2,t3,,,Lee,,Bo,,,\n",
	"students.csv": "School_id,Student_id,Student_number,State_id,Last_name,Middle_name,First_name,Gender,Dob,Grade,Race,Hispanic_Latino,Ell_status,Student_zip,Student_email,Contact_name,Contact_type,Contact_phone,Contact_email,Username\n" +
		"A1,s1,,9,Müller,,\"Ann\"\"ie\"\"\",F,11/1/98,Kindergarten,A,Y,N,10001,annie@Example.org,Max  Müller,Father,(336)533-1632 x218,max@example.org,annie\n" +
		"A1,s2,7,9,Dé,,Émile,X,4/2/07,12,,,,,,,,,,\n" +
		"B2,s1,,9,Roe,,Ray,,,,,,,,,,,,,\n",
	"sections.csv": "School_id,Section_id,Teacher_id,Teacher_2_id,Teacher_3_id,Teacher_4_id,Name,Grade,Course_name,Course_number,Period,Term_name,Term_start,Term_end\n" +
		"A1,c1,t1,t2,t1,,\"Art,\nroom 1\",0,Art,101,1,Y1,8/1/15,6/1/16\n" +
		"B2,c2,,,,,Biology,9,Biology,B1,,Y1,2015-08-01,2016-06-01\n",
	"enrollments.csv": "School_id,Student_id,Section_id\nA1,s1,c1\nA1,s2,c1\nB2,s1,c2\n",
}

func smallFS(edit func(file, text string) string) fs.FS {
	fsys := fstest.MapFS{}
	for file, text := range small {
		fsys[file] = &fstest.MapFile{Data: []byte(edit(file, text))}
	}
	return fsys
}

func unedited(_, text string) string { return text }

func TestReadDistrict(t *testing.T) {
	t.Parallel()
	d, problems := ReadDistrict(smallFS(unedited), ReadOptions{Today: today})
	if len(problems) > 0 || len(d.Schools) != 2 {
		t.Fatalf("%v", problems)
	}
	a := d.Schools[0]
	if a.Code != "a1" || len(a.Students) != 2 || len(a.Enrollments) != 2 || len(a.Teachers) != 2 || len(d.Schools[1].Teachers) != 2 {
		t.Errorf("%+v", a)
	}
	if visiting := a.Teachers[1]; visiting.SourceID != "t2" || visiting.HomeSchool != "B2" || a.Teachers[0].LastName != "Núñez, Jr." {
		t.Errorf("%+v", visiting)
	}
	s := a.Students[0]
	born := s.DateOfBirth.Format("2006-01-02")
	if s.FirstName != `Ann"ie"` || s.Gender != "female" || s.Grade != "K" || s.Number != "s1" || !*s.IsHispanic || *s.IsEnglishLearner ||
		s.Email != "annie@example.org" || born != "1998-11-01" || *s.Contact != (Contact{"Max Müller", "Father", "(336)533-1632 x218", "max@example.org"}) {
		t.Errorf("%+v %+v", s, s.Contact)
	}
	if c := a.Sections[0]; c.Name != "Art, room 1" || !slices.Equal(c.TeacherIDs, []string{"t1", "t2"}) || c.Grade != "K" {
		t.Errorf("%+v", c)
	}
	if term := a.Sections[0].Term; term != d.Schools[1].Sections[0].Term {
		t.Errorf("%v", term)
	}
}

// Whatever a spreadsheet did to the files, they hold the same district.
func TestReadDistrict_dialects(t *testing.T) {
	t.Parallel()
	want, _ := ReadDistrict(smallFS(unedited), ReadOptions{Today: today})
	dialects := map[string]func(file, text string) string{
		"CR":   func(_, text string) string { return strings.ReplaceAll(text, "\n", "\r") },
		"CRLF": func(_, text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
		"mixed": func(_, text string) string {
			return strings.Replace(strings.Replace(text, "\n", "\r", 1), "\n", "\r\n", 1)
		},
		"BOM": func(_, text string) string { return "\uFEFF" + text },
		"1252": func(_, text string) string {
			encoded, err := charmap.Windows1252.NewEncoder().String(text)
			if err != nil {
				t.Error(err)
			}
			return encoded
		},
		"UTF-16 LE":   func(_, text string) string { return utf16Text(text, 0) },
		"UTF-16 BE":   func(_, text string) string { return utf16Text(text, 1) },
		"no last end": func(_, text string) string { return strings.TrimSuffix(text, "\n") },
		"blank rows":  func(_, text string) string { return text + "\n,,,\n\n" },
		"header's case": func(_, text string) string {
			h, rows, _ := strings.Cut(text, "\n")
			return strings.ToUpper(h) + "\n" + rows
		},
		"header's spaces": func(_, text string) string {
			h, rows, _ := strings.Cut(text, "\n")
			return " " + strings.ReplaceAll(strings.ReplaceAll(h, "_", " "), ",", " , ") + "\n" + rows
		},
		"more columns": func(_, text string) string {
			lines := strings.SplitAfter(text, "\n")
			for i, line := range lines {
				if line != "" && !strings.HasSuffix(line, "\"Art,\n") {
					lines[i] = strings.TrimSuffix(line, "\n") + ",More\n"
				}
			}
			return strings.Join(lines, "")
		},
		"column order": func(file, text string) string {
			if file == "enrollments.csv" {
				return "Section_id,School_id,Student_id\nc1,A1,s1\nc1,A1,s2\nc2,B2,s1\n"
			}
			return text
		},
	}
	for name, edit := range dialects {
		got, problems := ReadDistrict(smallFS(edit), ReadOptions{Today: today})
		if len(problems) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another district: %v", name, problems)
		}
	}
}

func utf16Text(text string, high int) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune("\uFEFF" + text)) {
		pair := [2]byte{}
		pair[high], pair[1-high] = byte(unit), byte(unit>>8)
		if high == 1 {
			pair[0], pair[1] = byte(unit>>8), byte(unit)
		}
		b = append(b, pair[:]...)
	}
	return string(b)
}

func TestReadDistrict_problems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		from    string // the file, then old and new pairs, by |
		o       ReadOptions
		want    string // problems, by |
		blocked string
		counts  string // of students and enrollments in A1 and B2
	}{
		{"clean", "students.csv", ReadOptions{}, "", "", "22 11"},
		{
			"values", "students.csv|11/1/98|02/29/2005|4/2/07|4/2/2027|,F,|,?,|,Y,N,|,?,!,|annie@Example|annie Example|533-1632 x218|",
			ReadOptions{},
			"students.csv:2: warning: the gender is no gender that is known here; the student comes in without it|" +
				"students.csv:2: warning: the hispanic latino is neither Y nor N; the student comes in without it|" +
				"students.csv:2: warning: the ell status is neither Y nor N; the student comes in without it|" +
				"students.csv:2: warning: the student email is no e-mail address; the student comes in without it|" +
				"students.csv:2: warning: the contact phone is no phone number; the student comes in without it|" +
				`students.csv:2: warning: date of birth "02/29/2005" is no date; the student comes in without it|` +
				`students.csv:3: warning: date of birth "4/2/2027" lies too far ahead; the student comes in without it`, "", "22 11",
		},
		{"strict", "students.csv|11/1/98|02/29/2005", ReadOptions{Strict: true}, `students.csv:2: date of birth "02/29/2005" is no date`, "A1", "11 11"},
		{
			"strict and skip", "students.csv|11/1/98|02/29/2005",
			ReadOptions{Strict: true, SkipInvalid: true},
			`students.csv:2: left out: date of birth "02/29/2005" is no date|` +
				`enrollments.csv:2: left out: student "s1" can't come in because of students.csv:2`, "", "11 11",
		},
		{"no name", "students.csv|Müller,|,", ReadOptions{}, "students.csv:2: the last name is missing", "A1", "11 11"},
		{
			"skip", "students.csv|A1,s2,7,|A1,s2,s1,",
			ReadOptions{SkipInvalid: true},
			`students.csv:3: left out: student number "s1" is already on line 2|` +
				`enrollments.csv:3: left out: student "s2" can't come in because of students.csv:3`, "", "11 11",
		},
		{
			"same id in another school", "students.csv|A1,s2,7|B2,s2,7",
			ReadOptions{},
			`enrollments.csv:3: student "s2" is not in students.csv for school "A1"`, "A1", "11 21",
		},
		{"width", "students.csv|,7,9|,7,9,9", ReadOptions{}, "students.csv:3: the row has 21 fields where the first line has 20", "A1", "11 11"},
		{"NUL", "students.csv|Roe|R\x00e", ReadOptions{}, "students.csv:4: the row holds the control character 0x00", "B2", "22 00"},
		{"quote", "students.csv|,Dé|,\"Dé", ReadOptions{}, "students.csv:3: a quoted field doesn't end where it should", "A1", "11 11"},
		{"missing school id", "students.csv|B2,|,", ReadOptions{}, `students.csv:4: the school id is missing|enrollments.csv:4: student "s1" is not in students.csv for school "B2"`, "A1 B2", "22 00"},
		{"unknown school, skip", "enrollments.csv|B2|C3", ReadOptions{SkipInvalid: true}, `enrollments.csv:4: left out: school "C3" is not in schools.csv`, "", "22 10"},
		{"empty file", "students.csv|*|", ReadOptions{SkipInvalid: true}, "students.csv:1: the file is empty", "A1 B2", "02 01"},
		{"missing columns", "sections.csv|Period|P|Term_name|T", ReadOptions{}, "sections.csv:1: missing column Period, Term_name", "A1 B2", "22 11"},
		{"column twice", "sections.csv|Term_start|Period", ReadOptions{}, "sections.csv:1: missing column Term_start", "A1 B2", "22 11"},
		{"column twice", "enrollments.csv|_id\n|_id,Student_id\n", ReadOptions{}, "enrollments.csv:1: there twice: column Student_id", "A1 B2", "20 10"},
		{"no schools", "schools.csv|School_name|Name", ReadOptions{}, "schools.csv:1: missing column School_name", "", ""},
		{"school's name", "schools.csv|Ash School|", ReadOptions{}, "schools.csv:2: the school name is missing", "", "11"},
		{
			"school's code", "schools.csv|B2,|B_2,",
			ReadOptions{SkipInvalid: true},
			`schools.csv:3: left out: school id "B_2" makes no code: it must be 2 to 40 letters, digits and single hyphens|` +
				`teachers.csv:3: left out: school "B2" is not in schools.csv|teachers.csv:4: left out: school "B2" is not in schools.csv|` +
				`students.csv:4: left out: school "B2" is not in schools.csv|sections.csv:2: left out: teacher "t2" can't come in because of teachers.csv:3|` +
				`sections.csv:4: left out: school "B2" is not in schools.csv|enrollments.csv:2: left out: section "c1" can't come in because of sections.csv:2|` +
				`enrollments.csv:3: left out: section "c1" can't come in because of sections.csv:2|enrollments.csv:4: left out: school "B2" is not in schools.csv`, "", "20",
		},
		{"school twice", "schools.csv|B2|a1", ReadOptions{}, `schools.csv:3: school "a1" is already on line 2|teachers.csv:3: school "B2" is not in schools.csv|teachers.csv:4: school "B2" is not in schools.csv|` +
			`students.csv:4: school "B2" is not in schools.csv|sections.csv:4: school "B2" is not in schools.csv|enrollments.csv:4: school "B2" is not in schools.csv`, "A1", "20"},
		{
			"a failed teacher's other school", "teachers.csv|O'Hara|",
			ReadOptions{},
			`teachers.csv:3: the last name is missing|sections.csv:2: teacher "t2" can't come in because of teachers.csv:3`, "A1 B2", "20 11",
		},
		{"teacher's number", "teachers.csv|,12,|,11,", ReadOptions{}, `sections.csv:2: teacher "t2" has the number of teacher "t1", who is on the same staff`, "A1", "20 11"},
		{
			"teachers' number", "teachers.csv|B2,t3,,|B2,t3,12,",
			ReadOptions{},
			`teachers.csv:4: teacher "t3" has the number of teacher "t2", who is on the same staff`, "B2", "22 11",
		},
		{"term", "sections.csv|8/1/15,6/1/16|,13/1/16", ReadOptions{}, `sections.csv:2: the term start is missing|sections.csv:2: term end "13/1/16" is no date`, "A1", "20 11"},
		{"term of a day", "sections.csv|6/1/16|8/1/15", ReadOptions{}, `sections.csv:2: the term ends on 2015-08-01, which is not after its start on 2015-08-01`, "A1", "20 11"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			edits := strings.Split(tt.from, "|")
			fsys := smallFS(func(file, text string) string {
				if file != edits[0] {
					return text
				}
				for i := 1; i < len(edits); i += 2 {
					if edits[i] == "*" {
						text = ""
					}
					text = strings.Replace(text, edits[i], edits[i+1], 1)
				}
				return text
			})
			tt.o.Today = today
			d, problems := ReadDistrict(fsys, tt.o)
			if got := strings.Join(lines(problems), "|"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", strings.ReplaceAll(got, "|", "\n     "), strings.ReplaceAll(tt.want, "|", "\n     "))
			}
			var blocked, counts []string
			for _, s := range d.Schools {
				if problems.Block(s.SourceID) {
					blocked = append(blocked, s.SourceID)
				}
				counts = append(counts, string(rune('0'+len(s.Students)))+string(rune('0'+len(s.Enrollments))))
			}
			if got := strings.Join(blocked, " "); got != tt.blocked {
				t.Errorf("blocked %q, want %q", got, tt.blocked)
			}
			if got := strings.Join(counts, " "); got != tt.counts {
				t.Errorf("counts %q, want %q", got, tt.counts)
			}
		})
	}
}

// Each school may number its staff as it likes, until two teachers of others meet in one of its sections.
func TestReadDistrict_visitors(t *testing.T) {
	t.Parallel()
	fsys := smallFS(func(file, text string) string {
		switch file {
		case "schools.csv":
			return text + "C3,Cedar School,3\n"
		case "teachers.csv":
			return text + "C3,t4,12,,Poe,,Pat,,,\n"
		case "sections.csv":
			return strings.Replace(text, "t1,t2,t1,", "t4,t2,,", 1)
		}
		return text
	})
	_, problems := ReadDistrict(fsys, ReadOptions{Today: today})
	const want = `sections.csv:2: teacher "t2" has the number of teacher "t4", who is on the same staff`
	if got := lines(problems); len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

func TestReadDistrict_noFiles(t *testing.T) {
	t.Parallel()
	_, problems := ReadDistrict(fstest.MapFS{}, ReadOptions{SkipInvalid: true})
	if len(problems) != 5 || !problems.Block("any") || problems[4].String() != "enrollments.csv:1: the file is missing or may not be read" {
		t.Errorf("%v", problems)
	}
}

// Package roster reads rosters that a district's administration exports and writes them into
// schools. Reading needs no database and finds all that is wrong at once; writing plans against
// what a school holds already, so that the same export changes nothing the second time.
package roster

import "time"

// District is a checked export.
type District struct {
	Schools []*School
}

// School is one school of an export with all its records, each list in the order of its file.
type School struct {
	SourceID       string
	Code           string // the source id in lower case
	Name           string
	StateID        string
	NCESID         string
	Address        string
	City           string
	State          string
	PostalCode     string
	Phone          string
	LowGrade       string
	HighGrade      string
	Principal      string
	PrincipalEmail string

	Teachers    []*Teacher // those listed here and those listed elsewhere who teach here
	Students    []*Student
	Sections    []*Section
	Enrollments []Enrollment
}

// Teacher is a member of staff.
type Teacher struct {
	SourceID   string
	HomeSchool string // the source id of the school that lists the teacher
	Number     string // the source id where the export gives none
	StateID    string
	FirstName  string
	MiddleName string
	LastName   string
	Email      string
	Title      string
	Username   string
}

// Student is a student with at most one contact.
type Student struct {
	SourceID         string
	Number           string // the source id where the export gives none
	StateID          string
	FirstName        string
	MiddleName       string
	LastName         string
	Gender           string // female, male, other or empty
	DateOfBirth      *time.Time
	Grade            string // PreK, TK, K, 1 to 12 or empty
	Race             string
	IsHispanic       *bool
	IsEnglishLearner *bool
	PostalCode       string
	Email            string
	Username         string
	Contact          *Contact
}

// Contact is whom to call about a student.
type Contact struct {
	Name         string
	Relationship string
	Phone        string // as given, with its extension
	Email        string
}

// Section is a course taught to one group of students in one term.
type Section struct {
	SourceID     string
	Name         string
	Grade        string
	CourseName   string
	CourseNumber string
	Period       string
	Term         Term
	TeacherIDs   []string // at most four, the leading one first
}

// Term is when a section is taught.
type Term struct {
	Name   string
	Starts time.Time
	Ends   time.Time
}

// Enrollment is a student in a section, by their source ids.
type Enrollment struct {
	StudentID string
	SectionID string
}

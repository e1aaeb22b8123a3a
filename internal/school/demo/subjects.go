package demo

import "github.com/homeroom-sms/homeroom/ent/tenant/staff"

// subject is what the grades from first to last learn. Its teachers carry its title and have rooms of
// its kind, which are numbered; without a title it is taught by the teacher of the form, in the form's room.
type subject struct {
	code, name  string
	first, last int
	title, room string
	supported   bool // one form in each grade has a second teacher
	practical   bool // marked by projects instead of tests
}

// subjects has seven for each grade of a primary and of a high school: one for each period of the day.
var subjects = []subject{
	{code: "ELA", name: "English Language Arts", last: 5, supported: true},
	{code: "MAT", name: "Mathematics", last: 5, supported: true},
	{code: "SCI", name: "Science", last: 5},
	{code: "SOC", name: "Social Studies", last: 5},
	{code: "ART", name: "Art", last: 5, title: "Art Teacher", room: "Art Room ", practical: true},
	{code: "MUS", name: "Music", last: 5, title: "Music Teacher", room: "Music Room ", practical: true},
	{code: "PE", name: "Physical Education", last: 5, title: "Physical Education Teacher", room: "Gym ", practical: true},

	{code: "ENG-1", name: "English I", first: 9, last: 9, title: "English Teacher", room: "Room 10", supported: true},
	{code: "ENG-2", name: "English II", first: 10, last: 10, title: "English Teacher", room: "Room 10", supported: true},
	{code: "ENG-3", name: "American Literature", first: 11, last: 11, title: "English Teacher", room: "Room 10", supported: true},
	{code: "ENG-4", name: "World Literature", first: 12, last: 12, title: "English Teacher", room: "Room 10", supported: true},
	{code: "MAT-1", name: "Algebra I", first: 9, last: 9, title: "Mathematics Teacher", room: "Room 20", supported: true},
	{code: "MAT-2", name: "Geometry", first: 10, last: 10, title: "Mathematics Teacher", room: "Room 20", supported: true},
	{code: "MAT-3", name: "Algebra II", first: 11, last: 11, title: "Mathematics Teacher", room: "Room 20"},
	{code: "MAT-4", name: "Calculus", first: 12, last: 12, title: "Mathematics Teacher", room: "Room 20"},
	{code: "SCI-1", name: "Biology", first: 9, last: 9, title: "Science Teacher", room: "Lab "},
	{code: "SCI-2", name: "Chemistry", first: 10, last: 10, title: "Science Teacher", room: "Lab "},
	{code: "SCI-3", name: "Physics", first: 11, last: 11, title: "Science Teacher", room: "Lab "},
	{code: "SCI-4", name: "Environmental Science", first: 12, last: 12, title: "Science Teacher", room: "Lab "},
	{code: "HIS-1", name: "World History", first: 9, last: 10, title: "History Teacher", room: "Room 30"},
	{code: "HIS-3", name: "Modern History", first: 11, last: 11, title: "History Teacher", room: "Room 30"},
	{code: "HIS-4", name: "Government and Economics", first: 12, last: 12, title: "History Teacher", room: "Room 30"},
	{code: "SPA", name: "Spanish", first: 9, last: 10, title: "Language Teacher", room: "Room 40"},
	{code: "FRE", name: "French", first: 11, last: 12, title: "Language Teacher", room: "Room 40"},
	{code: "PE", name: "Physical Education", first: 9, last: 12, title: "Physical Education Teacher", room: "Gym ", practical: true},
	{code: "ART", name: "Visual Arts", first: 9, last: 10, title: "Art Teacher", room: "Studio ", practical: true},
	{code: "CS", name: "Computer Science", first: 11, last: 12, title: "Computer Science Teacher", room: "Computer Room ", practical: true},
}

// office is the staff that has no classes.
var office = []struct {
	title  string
	status staff.Status
}{
	{"Head Teacher", staff.StatusActive},
	{"Deputy Head Teacher", staff.StatusActive},
	{"School Secretary", staff.StatusActive},
	{"School Counsellor", staff.StatusActive},
	{"School Nurse", staff.StatusActive},
	{"Librarian", staff.StatusOnLeave},
	{"Caretaker", staff.StatusActive},
	{"Substitute Teacher", staff.StatusLeft},
}

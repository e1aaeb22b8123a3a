package roster

import (
	"strconv"
	"strings"
	"time"
)

// earliestYear is older than anybody in a school.
const earliestYear = 1900

// parseDate reads a day in the US form (11/1/98, 11/1/1998) or ISO's (1998-11-01). A year of two
// digits is the last such year in which the date is not after latest.
func parseDate(text string, latest time.Time) (time.Time, bool) {
	var parts []string
	month, day, year := 0, 1, 2
	if strings.Contains(text, "/") {
		parts = strings.Split(text, "/")
	} else {
		parts = strings.Split(text, "-")
		year, month, day = 0, 1, 2
	}
	if len(parts) != 3 || len(parts[month]) > 2 || len(parts[day]) > 2 {
		return time.Time{}, false
	}
	short := len(parts[year]) == 2 && year == 2
	if !short && len(parts[year]) != 4 {
		return time.Time{}, false
	}
	y, yOK := digits(parts[year])
	m, mOK := digits(parts[month])
	d, dOK := digits(parts[day])
	if !yOK || !mOK || !dOK {
		return time.Time{}, false
	}
	if !short {
		return newDate(y, m, d, latest)
	}
	for century := latest.Year() / 100 * 100; century >= latest.Year()-200; century -= 100 {
		if date, ok := newDate(century+y, m, d, latest); ok {
			return date, true
		}
	}
	return time.Time{}, false
}

// newDate refuses days that are in no calendar, such as February 30.
func newDate(y, m, d int, latest time.Time) (time.Time, bool) {
	date := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	ok := date.Year() == y && int(date.Month()) == m && date.Day() == d && y >= earliestYear && !date.After(latest)
	if !ok {
		return time.Time{}, false
	}
	return date, true
}

// digits is strconv.Atoi without signs.
func digits(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

var namedGrades = map[string]string{
	"k": "K", "kg": "K", "kindergarten": "K", "0": "K", "00": "K",
	"tk": "TK", "transitionalkindergarten": "TK",
	"pk": "PreK", "prek": "PreK", "prekindergarten": "PreK", "preschool": "PreK",
}

// parseGrade reads a grade: PreK, TK, K or 1 to 12, in the spellings that exports use.
func parseGrade(text string) (string, bool) {
	text = strings.NewReplacer(" ", "", "-", "", ".", "").Replace(strings.ToLower(text))
	text = strings.TrimSuffix(strings.TrimPrefix(text, "grade"), "grade")
	if grade, ok := namedGrades[text]; ok {
		return grade, true
	}
	for _, ordinal := range []string{"st", "nd", "rd", "th"} {
		text = strings.TrimSuffix(text, ordinal)
	}
	n, ok := digits(text)
	return strconv.Itoa(n), ok && n >= 1 && n <= 12
}

// parseGender reads a gender as female, male or other.
func parseGender(text string) (string, bool) {
	switch strings.ToLower(text) {
	case "f", "female":
		return "female", true
	case "m", "male":
		return "male", true
	case "x", "o", "other", "nonbinary", "non-binary":
		return "other", true
	}
	return "", false
}

// parseFlag reads a yes or no.
func parseFlag(text string) (yes, ok bool) {
	switch strings.ToLower(text) {
	case "y", "yes", "t", "true", "1":
		return true, true
	case "n", "no", "f", "false", "0":
		return false, true
	}
	return false, false
}

// parseEmail checks lightly that text is an e-mail address and brings its domain to lower case.
func parseEmail(text string) (string, bool) {
	local, domain, found := strings.Cut(text, "@")
	domain = strings.ToLower(domain)
	ok := found && local != "" && len(text) <= maxEmail &&
		!strings.ContainsAny(text, " \t,;<>\"()[]\\") && !strings.Contains(domain, "@") &&
		strings.Contains(domain, ".") && !strings.Contains(domain, "..") && strings.Trim(domain, ".-") == domain
	return local + "@" + domain, ok
}

// parsePhone takes any text with enough digits to call: extensions and other words belong to it.
func parsePhone(text string) (string, bool) {
	count := 0
	for _, c := range text {
		if '0' <= c && c <= '9' {
			count++
		}
	}
	return text, count >= 5 && len(text) <= maxPhone
}

package school

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"entgo.io/ent"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

const noText = "needs at least one visible character"

// manyLines are the fields that may hold line breaks.
var manyLines = []string{"address", "description"}

// tidy trims the texts of a change, clears those that are then blank, and brings addresses and numbers
// to the form in which they are compared.
func tidy(m ent.Mutation) error {
	var wrong []fault.Field
	for _, name := range m.Fields() {
		value, _ := m.Field(name)
		given, isText := value.(string)
		if !isText {
			continue
		}
		text, message := normal(name, given)
		var err error
		switch {
		case message != "":
		case text != "":
			err = m.SetField(name, text)
		case m.ClearField(name) != nil: // the record can't do without it
			message = noText
		}
		if err != nil {
			return err
		}
		if message != "" {
			wrong = append(wrong, fault.Field{Location: "body." + name, Message: message})
		}
	}
	slices.SortFunc(wrong, func(a, b fault.Field) int { return strings.Compare(a.Location, b.Location) })
	return invalid(wrong)
}

// normal returns a field's text in its normal form, "" if it says nothing, or what is wrong with it.
func normal(name, text string) (_, wrong string) {
	text = strings.TrimSpace(text)
	breaks := slices.Contains(manyLines, name)
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && (!breaks || !unicode.IsSpace(r)) }) {
		return "", "must not hold control characters"
	}
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) {
		return "", ""
	}
	switch name {
	case "email":
		return normalEmail(text)
	case "phone":
		return text, wrongPhone(text)
	}
	return text, ""
}

// normalEmail brings the domain to lower case; before the @ the case is the receiver's business
// (RFC 5321, section 2.4).
func normalEmail(text string) (_, wrong string) {
	address, err := mail.ParseAddress(text)
	local, domain, found := strings.Cut(text, "@")
	if err != nil || address.Address != text || !found || !strings.Contains(strings.Trim(domain, "."), ".") {
		return "", "expected an email address"
	}
	return local + "@" + strings.ToLower(domain), ""
}

// wrongPhone takes any text with enough digits to call: extensions and other words belong to it.
func wrongPhone(text string) string {
	digits := 0
	for _, r := range text {
		if '0' <= r && r <= '9' {
			digits++
		}
	}
	if digits < 5 {
		return "expected a phone number"
	}
	return ""
}

package auth

import (
	_ "embed"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What a password may have, in characters (NIST SP 800-63B, section 5.1.1.2). Longer ones than most
// only keep the hash busy.
const (
	shortestPassword = 12
	longestPassword  = 128
)

// common are the passwords of at least twelve characters that are tried first, a line each, in lower
// case.
//
//go:embed common.txt
var common string

// weakness says what is wrong with a new password; "" if nothing is. It asks for no mix of characters:
// that makes passwords that are hard to remember and easy to guess.
func weakness(password string, names []string) string {
	text := norm.NFKC.String(password)
	length := utf8.RuneCountInString(text)
	lower := strings.ToLower(text)
	switch {
	case length < shortestPassword:
		return "A password has at least 12 characters. Some words in a row do well."
	case length > longestPassword:
		return "A password has at most 128 characters."
	case distinct(lower) < 4, strings.Contains("\n"+common, "\n"+lower+"\n"):
		return "This password is among the first that anybody would try. Choose another."
	}
	for _, name := range names {
		name = strings.ToLower(norm.NFKC.String(name))
		local, _, _ := strings.Cut(name, "@")
		for _, part := range []string{name, local} {
			// The name with little around it: what is left must be a password by itself.
			if part != "" && strings.Contains(lower, part) && length-utf8.RuneCountInString(part) < shortestPassword/2 {
				return "This password is hardly more than a name or an e-mail address. Choose another."
			}
		}
	}
	return ""
}

func distinct(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

package school

import "testing"

func TestNormal(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want, wrong string }{
		{"first_name", " Amina\t", "Amina", ""},
		{"first_name", "María José", "María José", ""},
		{"first_name", " \u00a0\u200b ", "", ""},
		{"first_name", "a\nb", "", "must not hold control characters"},
		{"first_name", "a\x7fb", "", "must not hold control characters"},
		{"address", " 1 Way\r\nTown\n", "1 Way\r\nTown", ""},
		{"address", "a\x1bb", "", "must not hold control characters"},
		{"email", " Ida.Ek@Example.ORG ", "Ida.Ek@example.org", ""},
		{"email", "Ida <ida@example.org>", "", "expected an email address"},
		{"email", "ida@example.org, bo@example.org", "", "expected an email address"},
		{"email", "ida@localhost", "", "expected an email address"},
		{"email", "ida@", "", "expected an email address"},
		{"phone", " (336)533-1632 x218 ", "(336)533-1632 x218", ""},
		{"phone", "1234", "1234", "expected a phone number"},
	}
	for _, test := range tests {
		got, wrong := normal(test.name, test.text)
		if got != test.want || wrong != test.wrong {
			t.Errorf("%s %q: got %q, %q", test.name, test.text, got, wrong)
		}
	}
}

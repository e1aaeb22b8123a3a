package httpapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/httpapi"
)

var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// TestLogLinesCannotBeMade holds that a request leaves one line, whatever it says, and that nothing of it is
// taken for a line or a field of ours: in JSON, and as people read it on a terminal.
func TestLogLinesCannotBeMade(t *testing.T) {
	t.Parallel()
	const forged = "x\r\n{\"level\":\"info\",\"message\":\"forged\"}\u2028\x1b[2K\" school=forged \\"
	for format, check := range map[string]func(line string) bool{
		"json": func(line string) bool {
			var entry map[string]any
			return json.Unmarshal([]byte(line), &entry) == nil && entry["message"] == "request" && entry["school"] != "forged"
		},
		"console": func(line string) bool {
			return strings.HasPrefix(line, "<nil> INF request ") && !strings.Contains(quoted.ReplaceAllString(line, ""), "forged")
		},
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			w := newWorld(t, func(s *httpapi.Settings) {
				if s.Log = zerolog.New(log); format == "console" {
					s.Log = zerolog.New(zerolog.ConsoleWriter{Out: log, NoColor: true})
				}
			})
			n := 0
			for _, host := range []string{"oak.test", "localhost", "evil.test", forged} {
				for _, path := range []string{"/%0a%0d{%22message%22:%22forged%22}", "/api/v1/students/%0aforged/", "/?a=%0aforged"} {
					w.ask("GET", host, path, "X-Request-Id", forged, "User-Agent", forged, "Referer", forged, "X-Forwarded-For", forged)
					w.ask("GET", "x", path, "from", "10.1.2.3", "X-Forwarded-Host", host+forged, "X-Forwarded-For", forged)
					n += 2
				}
			}
			body, err := json.Marshal(map[string]string{"name": forged, "code": forged, forged: forged})
			if err != nil {
				t.Fatal(err)
			}
			if answer := w.post("localhost", schoolsPath, w.key, string(body), "X-Request-Id", "y school=forged"); answer.Code != http.StatusUnprocessableEntity {
				t.Error(answer.Code)
			}
			lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			if len(lines) != n+1 {
				t.Errorf("%d lines of %d requests", len(lines), n+1)
			}
			for _, line := range lines {
				if strings.ContainsAny(line, "\r\x1b") || !check(line) {
					t.Errorf("%q", line)
				}
			}
		})
	}
}

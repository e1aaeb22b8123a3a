package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

// load sends requests, on connections that are kept.
type load struct {
	client *http.Client
	target string
	tokens []string // of the schools, by number
}

func newLoad(g greeting) (side, error) {
	l := &load{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}, target: g.Target}
	tokens, err := auth.NewTokens(signingKey, time.Now)
	if err != nil {
		return side{}, err
	}
	for _, s := range g.Schools {
		token, _, err := tokens.ForSchool(s.ID, auth.Principal{Name: "bench", Role: auth.RoleAdmin}, 24*time.Hour)
		if err != nil {
			return side{}, err
		}
		l.tokens = append(l.tokens, token)
	}
	return side{operations: map[string]operation{
		read: func(ctx context.Context, s school, n int) error {
			return l.get(ctx, s, "/api/v1/students/"+s.studentID(n).String()+"/", 1)
		},
		list: func(ctx context.Context, s school, _ int) error {
			return l.get(ctx, s, fmt.Sprintf("/api/v1/students/?limit=%d", pageSize), pageSize)
		},
	}, trips: func() int64 { return 0 }}, nil
}

// get makes one request, whose answer must show the given number of students.
func (l *load) get(ctx context.Context, s school, path string, shown int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.target+path, nil)
	if err != nil {
		return err
	}
	r.Host = s.Host
	r.Header.Set("Authorization", "Bearer "+l.tokens[s.Number])
	answer, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if n := strings.Count(string(body), `"admission_number"`); answer.StatusCode != http.StatusOK || n != shown {
		return fmt.Errorf("GET %s: %s with %d students, not %d: %s", path, answer.Status, n, shown, body)
	}
	return nil
}

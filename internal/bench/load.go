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
	key    string   // for the system API
}

func newLoad(g greeting) (side, error) {
	l := &load{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}, target: g.Target, key: g.Key}
	tokens, err := auth.NewTokens(signingKey, time.Now)
	if err != nil {
		return side{}, err
	}
	for _, s := range g.Schools {
		token, _, err := tokens.ForSchool(s.ID, auth.Principal{Name: "user:" + s.userID().String(), Role: auth.RoleAdmin}, 24*time.Hour)
		if err != nil {
			return side{}, err
		}
		l.tokens = append(l.tokens, token)
	}
	return side{operations: map[string]operation{
		read: func(ctx context.Context, s school, n int) error {
			return l.getStudents(ctx, s, s.studentID(n).String()+"/", 1)
		},
		list: func(ctx context.Context, s school, _ int) error {
			return l.getStudents(ctx, s, fmt.Sprintf("?limit=%d", pageSize), pageSize)
		},
		getSchool: func(ctx context.Context, s school, _ int) error {
			return l.get(ctx, publicHost, l.key, "/api/v1/system/schools/"+s.ID.String()+"/", s.Host, 1)
		},
	}, trips: func() int64 { return 0 }}, nil
}

func (l *load) getStudents(ctx context.Context, s school, path string, shown int) error {
	return l.get(ctx, s.Host, l.tokens[s.Number], "/api/v1/students/"+path, `"admission_number"`, shown)
}

// get makes one request, whose answer must hold a text so many times.
func (l *load) get(ctx context.Context, host, credential, path, text string, times int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.target+path, nil)
	if err != nil {
		return err
	}
	r.Host = host
	r.Header.Set("Authorization", "Bearer "+credential)
	answer, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if n := strings.Count(string(body), text); answer.StatusCode != http.StatusOK || n != times {
		return fmt.Errorf("GET %s: %s with %s %d times, not %d: %s", path, answer.Status, text, n, times, body)
	}
	return nil
}

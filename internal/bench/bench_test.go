package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test's own binary the processes that are measured.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestShortRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bench.json")
	var table, progress strings.Builder
	if err := run(t.Context(), []string{"-schools", "1,2", "-seconds", "0.02", "-rounds", "1", "-json", path}, &table, &progress); err != nil {
		t.Fatal(err, progress.String())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, m := range measured {
		for _, operation := range m.operations {
			for _, schools := range []int{1, 2} {
				l := r.find(m.level, operation, schools)
				if l == nil || l.Ratio <= 0 || min(l.Floor.Server, l.Floor.Postgres, l.Product.Server, l.Product.Postgres, l.Product.Trips, l.Product.Allocations) <= 0 {
					t.Errorf("%s, %s, %d schools: %+v", m.level, operation, schools, l)
				}
				if !strings.Contains(table.String(), operation) {
					t.Errorf("no %s in\n%s", operation, table.String())
				}
			}
		}
	}
	if len(r.Memory) != 2 || r.Memory[1].Server < megabyte || r.Memory[1].Backend < megabyte || r.Memory[1].Resolve <= 0 {
		t.Errorf("%+v", r.Memory)
	}
}

func TestShortFleet(t *testing.T) {
	t.Parallel()
	var table, progress strings.Builder
	if err := run(t.Context(), []string{fleetCommand, "-schools", "12", "-rounds", "1", "-json", ""}, &table, &progress); err != nil {
		t.Fatal(err, progress.String())
	}
	for _, what := range []string{"create a school", "one ALTER a school", nothingToDo, status, verify, drift} {
		if !strings.Contains(table.String(), what) {
			t.Errorf("no %s in\n%s", what, table.String())
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	r := result{
		Lines: []line{
			{Level: "driver", Operation: read, Schools: 100, Product: cost{Trips: 1.003, Allocations: 171}, Ratio: 1.9},
			{Level: "HTTP", Operation: read, Schools: 100, Product: cost{Both: 100}, Ratio: 1.6},
			{Level: "HTTP", Operation: read, Schools: 1000, Product: cost{Both: 131}},
		},
		Memory: []memory{{Schools: 1, Server: 40 * megabyte}, {Schools: 1000, Server: 70 * megabyte, Backend: 81 * megabyte}},
	}
	want := "ok, ok, OVER, ok (aim 1.5), OVER, ok, OVER"
	var got []string
	for _, l := range r.judge() {
		got = append(got, l.verdict())
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("%+v: %v, not %s", r.judge(), got, want)
	}
}

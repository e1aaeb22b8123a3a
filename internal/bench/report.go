package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// result is all that a run has found.
type result struct {
	Date       time.Time `json:"date"`
	Go         string    `json:"go"`
	PostgreSQL string    `json:"postgresql"`
	Seconds    float64   `json:"seconds"`
	Rounds     int       `json:"rounds"`
	Lines      []line    `json:"lines"`
	Memory     []memory  `json:"memory,omitempty"`
	Looks      []look    `json:"looks,omitempty"`
	Limits     []limit   `json:"limits"`
}

// line is one operation with one number of schools.
type line struct {
	Level     string  `json:"level"`
	Operation string  `json:"operation"`
	Schools   int     `json:"schools"`
	Floor     cost    `json:"floor"`
	Product   cost    `json:"product"`
	Ratio     float64 `json:"ratio"` // of CPU, ours and PostgreSQL's together
}

// memory is how large the product's processes are after so many schools, and what finding one costs.
type memory struct {
	Schools            int     `json:"schools"`
	Server             int64   `json:"server_rss_bytes"`
	Floor              int64   `json:"floor_server_rss_bytes"`
	Backend            int64   `json:"largest_backend_private_bytes"`
	Resolve            float64 `json:"resolve_host_cpu_ns"`
	ResolveAllocations float64 `json:"resolve_host_allocations"`
}

// limit is what a value is judged by; the aim is lower than what is just allowed.
type limit struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Most  float64 `json:"most"`
	Aim   float64 `json:"aim,omitempty"`
	Over  bool    `json:"over"`
}

const megabyte = 1 << 20

// judge holds the results against the limits. What was not measured is not judged.
func (r *result) judge() (limits []limit) {
	add := func(what string, value, most, aim float64) {
		limits = append(limits, limit{what, value, most, aim, value > most})
	}
	if l := r.find("driver", read, 100); l != nil {
		add("driver, point read, 100 schools: round trips", round(l.Product.Trips), 1, 0)
		add("driver, point read, 100 schools: CPU, times the floor", l.Ratio, 2.0, 0)
		add("driver, point read, 100 schools: allocations", l.Product.Allocations, 170, 0)
	}
	if l := r.find("driver", transaction, 100); l != nil {
		add("driver, transaction of 3, 100 schools: round trips", round(l.Product.Trips), 4, 0)
	}
	for _, of := range []struct {
		operation string
		most, aim float64
	}{{read, 1.8, 1.5}, {list, 1.6, 1.4}, {getSchool, 2.0, 1.6}} {
		if l := r.find("HTTP", of.operation, 100); l != nil {
			add("HTTP, "+of.operation+", 100 schools: CPU, times the floor", l.Ratio, of.most, of.aim)
		}
		if few, many := r.find("HTTP", of.operation, 100), r.find("HTTP", of.operation, 1000); few != nil && many != nil {
			add("HTTP, "+of.operation+": CPU with 1000 schools, times that with 100", many.Product.Both/few.Product.Both, 1.3, 0)
		}
	}
	if l := r.find("HTTP", getSchool, 100); l != nil {
		add("HTTP, "+getSchool+", 100 schools: round trips", round(l.Product.Trips), 1, 0)
	}
	if len(r.Memory) == 0 {
		return limits
	}
	first, last := r.Memory[0], r.Memory[len(r.Memory)-1]
	if first.Schools == 1 && last.Schools == 1000 {
		add("server: MB more with 1000 schools than with 1", float64(last.Server-first.Server)/megabyte, 30, 0)
	}
	add(fmt.Sprintf("largest backend, %d schools: MB", last.Schools), float64(last.Backend)/megabyte, 80, 0)
	if last.Resolve > 0 {
		add("resolving a host: ns of CPU", last.Resolve, 150, 0)
		add("resolving a host: allocations", round(last.ResolveAllocations), 0, 0)
	}
	return limits
}

func (r *result) find(level, operation string, schools int) *line {
	for i, l := range r.Lines {
		if l.Level == level && l.Operation == operation && l.Schools == schools {
			return &r.Lines[i]
		}
	}
	return nil
}

// round drops what the start of a connection, or a collection, adds to a count.
func round(count float64) float64 { return float64(int64(count*10+0.5)) / 10 }

// table writes the results for people.
func (r *result) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(w, "\nMedians of %d rounds, floor and product by turns; %s, PostgreSQL %s.\n", r.Rounds, r.Go, r.PostgreSQL)
	_, _ = fmt.Fprint(w, "CPU in us an operation: our process + PostgreSQL's = both. The ratio is that of both, the median of the rounds' own.\n\n")
	_, _ = fmt.Fprintln(t, "\t\tschools\tfloor\t\t\tproduct\t\t\tratio\tround trips\t\tallocations\t\t")
	for _, l := range r.Lines {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", l.Level, l.Operation, l.Schools, l.Floor, l.Product, l.Ratio,
			l.Floor.Trips, l.Product.Trips, l.Floor.Allocations, l.Product.Allocations)
	}
	_ = t.Flush()
	if len(r.Memory) > 0 {
		r.printMemory(t)
	}
	if len(r.Looks) > 0 {
		_, _ = fmt.Fprintln(t, "\n\tschools\tCPU in us, ours + PostgreSQL's = both\t\t\tby the clock\t")
		for _, l := range r.Looks {
			_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%.1f ms\t\n", l.Operation, l.Schools, l.Cost, l.Took/1000)
		}
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range r.Limits {
		_, _ = fmt.Fprintf(t, "%s\t%.2f\tat most %g\t%s\n", l.What, l.Value, l.Most, l.verdict())
	}
	_ = t.Flush()
}

// String is the CPU, for a row of the table.
func (c cost) String() string {
	return fmt.Sprintf("%.0f +\t%.0f =\t%.0f", c.Server, c.Postgres, c.Both)
}

func (l limit) verdict() string {
	switch {
	case l.Over:
		return "OVER"
	case l.Aim > 0 && l.Value > l.Aim:
		return fmt.Sprintf("ok (aim %g)", l.Aim)
	}
	return "ok"
}

// write keeps the results as JSON.
func (r *result) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // bin, as go build makes it
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // whoever runs this names the file
}

func (r *result) printMemory(t io.Writer) {
	_, _ = fmt.Fprintln(t, "\n\tschools\tserver RSS\tfloor's RSS\tlargest backend\tresolve a host\tallocations\t")
	for _, m := range r.Memory {
		_, _ = fmt.Fprintf(t, "\t%d\t%.1f MB\t%.1f MB\t%.1f MB\t%.0f ns\t%.1f\t\n", m.Schools, float64(m.Server)/megabyte, float64(m.Floor)/megabyte,
			float64(m.Backend)/megabyte, m.Resolve, m.ResolveAllocations)
	}
}

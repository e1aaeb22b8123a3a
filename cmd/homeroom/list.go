package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// list prints rows as a table for people or as JSON for programs.
func list[T any](w io.Writer, format string, rows []T, columns []string, cells func(T) []string) error {
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		if rows == nil {
			rows = []T{}
		}
		return encoder.Encode(rows)
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, strings.ToUpper(strings.Join(columns, "\t")))
	for _, row := range rows {
		_, _ = fmt.Fprintln(table, strings.Join(cells(row), "\t"))
	}
	return table.Flush()
}

package fleet

import (
	"slices"
	"strings"
)

// has reports whether the table that a part belongs to is among the parts.
func has(parts map[part]object, o object) bool {
	return slices.ContainsFunc(relations, func(kind string) bool {
		_, found := parts[part{kind, o.table, ""}]
		return found
	})
}

// withTable reports whether a part belongs to a table that is not among the parts.
func withTable(parts map[part]object, o object) bool {
	return !slices.Contains(relations, o.kind) && !has(parts, o)
}

// ofColumn reports whether a part is written with its column.
func ofColumn(o object) bool {
	return o.kind == "default" || o.kind == "identity" || o.kind == "not null"
}

// withColumn reports whether a part is written with a column that is not among the parts.
func withColumn(parts map[part]object, o object) bool {
	_, found := parts[part{"column", o.table, o.name}]
	return ofColumn(o) && !found
}

// table is the statement that makes a missing table with its columns.
func (m *mender) table(o object) string {
	var columns []object
	for _, c := range m.should {
		if c.kind == "column" && c.table == o.table {
			columns = append(columns, c)
		}
	}
	slices.SortFunc(columns, func(a, b object) int { return a.position - b.position })
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = "  " + m.specification(c)
	}
	return strings.Replace("CREATE "+o.definition, "CREATE LOGGED", "CREATE", 1) + " TABLE " + o.table + " (\n" + strings.Join(lines, ",\n") + "\n)"
}

// column is the statement that adds a missing column.
func (m *mender) column(o object) string {
	add := "ALTER TABLE " + o.table + " ADD COLUMN " + m.specification(o)
	if strings.HasSuffix(add, " NOT NULL") && !strings.Contains(add, " DEFAULT ") && !strings.Contains(add, " GENERATED ") {
		return "-- fails where there are rows: add it without NOT NULL and fill it first\n" + add
	}
	return add
}

func (m *mender) specification(o object) string {
	text := o.name + " " + o.definition
	if identity, found := m.should[part{"identity", o.table, o.name}]; found {
		text += " GENERATED " + identity.definition + " AS IDENTITY"
	}
	if value, found := m.should[part{"default", o.table, o.name}]; found {
		text += " DEFAULT " + value.definition
	}
	if _, found := m.should[part{"not null", o.table, o.name}]; found {
		text += " NOT NULL"
	}
	return text
}

// making is the statement that makes any other part.
func making(o object) string {
	table, column := "ALTER TABLE "+o.table+" ", "ALTER COLUMN "+o.name
	switch o.kind {
	case "default":
		return table + column + " SET DEFAULT " + o.definition
	case "identity":
		return table + column + " ADD GENERATED " + o.definition + " AS IDENTITY"
	case "not null":
		return table + column + " SET NOT NULL"
	case "constraint", "foreign key":
		return table + "ADD CONSTRAINT " + o.name + " " + o.definition
	case "row security":
		return table + "ENABLE ROW LEVEL SECURITY"
	case "view", "materialized view":
		return "CREATE " + strings.ToUpper(o.kind) + " " + o.table + " AS" + "\n" + strings.TrimRight(o.definition, "; \n")
	case "sequence":
		return "CREATE SEQUENCE " + o.table + " " + o.definition
	}
	return strings.TrimRight(o.definition, "; \n") // an index, a trigger, a function
}

// dropping is the statement that drops a part.
func dropping(o object) string {
	table, column := "ALTER TABLE "+o.table+" ", "ALTER COLUMN "+o.name
	switch o.kind {
	case "column":
		return "-- loses data\n" + table + "DROP COLUMN " + o.name
	case "default":
		return table + column + " DROP DEFAULT"
	case "identity":
		return table + column + " DROP IDENTITY"
	case "not null":
		return table + column + " DROP NOT NULL"
	case "constraint", "foreign key":
		return table + "DROP CONSTRAINT " + o.name
	case "row security":
		return table + "DISABLE ROW LEVEL SECURITY"
	case "index":
		return "DROP INDEX " + o.name
	case "trigger":
		return "DROP TRIGGER " + o.name + " ON " + o.table
	case "table":
		return "-- loses data\nDROP TABLE " + o.table
	case "sequence":
		return "DROP SEQUENCE IF EXISTS " + o.table // it may have gone with its table
	}
	return "DROP " + strings.ToUpper(o.kind) + " " + o.table // a view, a function, a foreign table
}

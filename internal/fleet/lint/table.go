package lint

import (
	"encoding/json"
	"slices"
)

// tables is what the files so far say of the tables.
type tables struct {
	types   map[string]typeName // of table.column
	notNull map[string]string   // table.constraint -> table.column: a CHECK (column IS NOT NULL) that is NOT VALID
	proven  map[string]bool     // table.column that a valid CHECK holds not to be null
}

// learn takes in what a statement does to the tables.
func (l *linter) learn(s statement) {
	table := s.body.Relation.RelName
	switch s.kind {
	case "CreateStmt":
		l.created[table] = true
		for _, e := range s.body.TableElts {
			l.tables.learn(table, e)
		}
	case "CreateTableAsStmt":
		l.created[s.body.Into.Rel.RelName] = true
	case "AlterTableStmt":
		for _, c := range s.body.Cmds {
			cmd := c.AlterTableCmd
			switch cmd.Subtype {
			case "AT_AddColumn", "AT_AddConstraint":
				l.tables.learn(table, cmd.Def)
			case "AT_AlterColumnType":
				if cmd.Def.ColumnDef != nil {
					l.tables.types[table+"."+cmd.Name] = cmd.Def.ColumnDef.TypeName
				}
			case "AT_ValidateConstraint":
				l.tables.proven[l.tables.notNull[table+"."+cmd.Name]] = true
			case "AT_DropConstraint":
				delete(l.tables.proven, l.tables.notNull[table+"."+cmd.Name])
			}
		}
	}
}

func (t tables) learn(table string, e element) {
	if e.ColumnDef != nil {
		t.types[table+"."+e.ColumnDef.ColName] = e.ColumnDef.TypeName
	}
	if e.Constraint == nil || e.Constraint.ConType != "CONSTR_CHECK" {
		return
	}
	if name := notNullColumn(e.Constraint.RawExpr); name != "" {
		t.notNull[table+"."+e.Constraint.ConName] = table + "." + name
		if !e.Constraint.SkipValidation {
			t.proven[table+"."+name] = true
		}
	}
}

// notNullColumn returns the column of "column IS NOT NULL", "" for any other expression.
func notNullColumn(expression json.RawMessage) string {
	var parsed struct {
		NullTest struct {
			NullTestType string
			Arg          struct{ ColumnRef struct{ Fields []text } }
		}
	}
	_ = json.Unmarshal(expression, &parsed) // another expression has no such fields
	if path := parsed.NullTest.Arg.ColumnRef.Fields; len(path) == 1 && parsed.NullTest.NullTestType == "IS_NOT_NULL" {
		return path[0].String.Sval
	}
	return ""
}

// alter returns the rules that a subcommand of ALTER TABLE breaks on a table that has rows.
func (t tables) alter(table string, c command) []broken {
	switch c.Subtype {
	case "AT_AddColumn":
		if c.Def.ColumnDef != nil {
			return c.Def.ColumnDef.added()
		}
	case "AT_AddConstraint":
		if c.Def.Constraint != nil {
			return c.Def.Constraint.added()
		}
	case "AT_DropColumn":
		return []broken{{dropColumn, c.Name}}
	case "AT_SetNotNull":
		if !t.proven[table+"."+c.Name] {
			return []broken{{setNotNull, c.Name}}
		}
	case "AT_AlterColumnType":
		old, known := t.types[table+"."+c.Name]
		if c.Def.ColumnDef == nil || c.Def.ColumnDef.RawDefault != nil || !known || !widens(old, c.Def.ColumnDef.TypeName) {
			return []broken{{changeType, c.Name}}
		}
	case "AT_SetLogged", "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetAccessMethod":
		return []broken{{rewriteTable, subcommand(c)}}
	}
	return nil
}

func (c *constraint) added() []broken {
	switch c.ConType {
	case "CONSTR_FOREIGN", "CONSTR_CHECK":
		if !c.SkipValidation {
			return []broken{{constraintScans, c.ConName}}
		}
	case "CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION":
		if c.IndexName == "" {
			return []broken{{constraintIndex, c.ConName}}
		}
	}
	return nil
}

// added returns the rules that a column breaks by being added to a table that has rows.
func (c *column) added() (found []broken) {
	of := func(kind string) func(struct{ Constraint constraint }) bool {
		return func(o struct{ Constraint constraint }) bool { return o.Constraint.ConType == kind }
	}
	filled := c.serial()
	rewrites := filled
	for _, o := range c.Constraints {
		switch o.Constraint.ConType {
		case "CONSTR_DEFAULT":
			filled = true
			rewrites = rewrites || volatile(o.Constraint.RawExpr)
		case "CONSTR_IDENTITY", "CONSTR_GENERATED":
			filled, rewrites = true, true
		case "CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY":
			found = append(found, o.Constraint.added()...)
		}
	}
	// A column that is NULL in every row refers to nothing, and PostgreSQL knows it.
	if filled && slices.ContainsFunc(c.Constraints, of("CONSTR_FOREIGN")) {
		found = append(found, broken{constraintScans, c.ColName})
	}
	if rewrites {
		found = append(found, broken{volatileDefault, c.ColName})
	}
	if !filled && (slices.ContainsFunc(c.Constraints, of("CONSTR_NOTNULL")) || slices.ContainsFunc(c.Constraints, of("CONSTR_PRIMARY"))) {
		found = append(found, broken{addNotNull, c.ColName})
	}
	return found
}

func (c *column) serial() bool {
	switch c.TypeName.base() {
	case "smallserial", "serial2", "serial", "serial4", "bigserial", "serial8":
		return true
	}
	return false
}

// volatile reports whether a default calls a function that may answer differently for each row, as
// any does that is not known to be stable.
func volatile(expression json.RawMessage) bool {
	var tree any
	if json.Unmarshal(expression, &tree) != nil {
		return true
	}
	found := false
	walk(tree, func(key string, value any) {
		if key == "funcname" {
			path := words(value)
			found = found || len(path) == 0 || !slices.Contains(stable, path[len(path)-1])
		}
	})
	return found
}

// stable functions are computed once for all rows.
var stable = []string{
	"now", "transaction_timestamp", "statement_timestamp", "date_trunc", "make_date", "make_interval", "make_timestamptz", "timezone", "to_timestamp",
	"lower", "upper", "concat", "md5", "jsonb_build_object", "jsonb_build_array", "json_build_object", "json_build_array",
}

func (t typeName) base() string {
	if len(t.Names) == 0 {
		return ""
	}
	return t.Names[len(t.Names)-1].String.Sval
}

// length is n of varchar(n), 0 for none.
func (t typeName) length() int {
	if len(t.Typmods) == 0 {
		return 0
	}
	return t.Typmods[0].Const.Ival.Ival
}

// widens reports whether PostgreSQL changes a type without looking at the rows.
func widens(from, to typeName) bool {
	isText := func(t typeName) bool { return t.base() == "text" || t.base() == "varchar" }
	if !isText(from) || !isText(to) || len(from.ArrayBounds)+len(to.ArrayBounds) > 0 {
		return false
	}
	return to.length() == 0 || from.length() > 0 && to.length() >= from.length()
}

package lint

import (
	"slices"
	"strings"
)

// broken is a rule that a statement breaks, and by what, if that is not plain from the rule.
type broken struct {
	rule *rule
	what string
}

// check returns the rules that a statement breaks.
func (l *linter) check(s statement) []broken {
	var found []broken
	breaks := func(is bool, r *rule, what ...string) {
		if is {
			found = append(found, broken{r, strings.Join(what, "")})
		}
	}
	b, table := s.body, s.body.Relation.RelName
	existing := !l.created[table]
	breaks(!l.noTransaction && refusesTransaction(s), needsTxmodeNone)
	switch s.kind {
	case "DropStmt":
		kept := func(o struct{ List struct{ Items []text } }) bool {
			items := o.List.Items
			return len(items) == 0 || !l.created[items[len(items)-1].String.Sval]
		}
		breaks(b.RemoveType == "OBJECT_TABLE" && slices.ContainsFunc(b.Objects, kept), dropTable)
		breaks(b.RemoveType == "OBJECT_SCHEMA", dropSchema)
	case "TruncateStmt":
		breaks(true, truncate)
	case "DeleteStmt":
		breaks(existing && b.WhereClause == nil, deleteAll)
	case "TransactionStmt":
		breaks(true, transaction)
	case "IndexStmt":
		breaks(existing && !b.Concurrent, indexBlocks)
		breaks(existing && b.Unique, uniqueData)
	case "VacuumStmt":
		breaks(has(b.Options, "full"), rewriteTable)
	case "ClusterStmt":
		breaks(existing, rewriteTable)
	case "ReindexStmt":
		breaks(existing && !has(b.Params, "concurrently"), rewriteTable)
	case "RenameStmt":
		breaks(existing && (b.RenameType == "OBJECT_TABLE" || b.RenameType == "OBJECT_VIEW" || b.RenameType == "OBJECT_MATVIEW"), renameTable)
		breaks(existing && b.RenameType == "OBJECT_COLUMN", renameColumn)
	case "AlterTableStmt":
		for _, c := range b.Cmds {
			if existing {
				found = append(found, l.tables.alter(table, c.AlterTableCmd)...)
			}
			breaks(len(b.Cmds) > 1 && citusRefusesOthers(c.AlterTableCmd), citusAlone, subcommand(c.AlterTableCmd))
		}
	}
	for _, name := range l.foreignNames(s) {
		breaks(true, foreignName, name)
	}
	leaves := l.leaves(s)
	breaks(leaves, outsideSchema)
	breaks(!leaves && !l.noTransaction && staysOnSession(s), sessionSetting)
	return found
}

// has reports whether an option is given, and not as off.
func has(options []struct{ DefElem option }, name string) bool {
	return slices.ContainsFunc(options, func(o struct{ DefElem option }) bool {
		value := o.DefElem.Arg.String.Sval
		return o.DefElem.DefName == name && value != "false" && value != "off" && value != "0"
	})
}

// refusesTransaction reports whether PostgreSQL runs a statement outside a transaction alone.
func refusesTransaction(s statement) bool {
	switch s.kind {
	case "CreatedbStmt", "DropdbStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterSystemStmt":
		return true
	case "VacuumStmt":
		vacuum, _ := s.tree.(map[string]any)["is_vacuumcmd"].(bool) // else ANALYZE
		return vacuum
	case "ClusterStmt":
		return s.body.Relation.RelName == ""
	case "IndexStmt", "DropStmt":
		return s.body.Concurrent
	case "ReindexStmt":
		return has(s.body.Params, "concurrently") || s.body.Relation.RelName == ""
	case "AlterTableStmt":
		return slices.ContainsFunc(s.body.Cmds, func(c struct{ AlterTableCmd command }) bool { return c.AlterTableCmd.Def.PartitionCmd.Concurrent })
	}
	return false
}

// leaves reports whether a statement reaches out of the schema.
func (l *linter) leaves(s statement) bool {
	switch s.kind {
	case "CreateSchemaStmt", "AlterObjectSchemaStmt", "CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt", "DropOwnedStmt", "ReassignOwnedStmt",
		"CreatedbStmt", "DropdbStmt", "AlterDatabaseStmt", "AlterDatabaseSetStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt":
		return true
	case "CreateExtensionStmt": // of the database
		return l.schema == ""
	case "VariableSetStmt":
		switch s.body.Name {
		case "search_path", "role", "session_authorization":
			return true
		}
		return s.body.Kind == "VAR_RESET_ALL"
	case "RenameStmt":
		return s.body.RenameType == "OBJECT_SCHEMA" || s.body.RenameType == "OBJECT_ROLE" || s.body.RenameType == "OBJECT_DATABASE"
	}
	return slices.ContainsFunc(configs(s.tree), func(c config) bool { return c.setting == "" || c.setting == "search_path" || c.setting == "role" })
}

// staysOnSession reports whether a statement sets something that outlives its transaction.
func staysOnSession(s statement) bool {
	if s.kind == "VariableSetStmt" {
		return !s.body.IsLocal && (strings.HasPrefix(s.body.Kind, "VAR_SET_") && s.body.Kind != "VAR_SET_MULTI" || s.body.Name == "SESSION CHARACTERISTICS")
	}
	return slices.ContainsFunc(configs(s.tree), func(c config) bool { return !c.local })
}

// citusRefusesOthers reports whether Citus wants a subcommand of ALTER TABLE to be the only one.
func citusRefusesOthers(c command) bool {
	switch c.Subtype {
	case "AT_AddConstraint", "AT_AttachPartition", "AT_DetachPartition":
		return true
	case "AT_ColumnDefault":
		return strings.Contains(string(c.Def.FuncCall), `"nextval"`)
	case "AT_AddColumn":
		return c.Def.ColumnDef != nil && (c.Def.ColumnDef.serial() || slices.ContainsFunc(c.Def.ColumnDef.Constraints, func(o struct{ Constraint constraint }) bool {
			return strings.Contains(string(o.Constraint.RawExpr), `"nextval"`)
		}))
	}
	return false
}

// subcommand names a subcommand of ALTER TABLE, as AddConstraint.
func subcommand(c command) string { return strings.TrimPrefix(c.Subtype, "AT_") }

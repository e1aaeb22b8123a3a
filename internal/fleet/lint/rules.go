package lint

// rule is something that a migration must not, or should not, do.
type rule struct{ name, severity, why, instead string }

const (
	wrong    = "error"
	doubtful = "warning"
)

var (
	syntax = &rule{
		"syntax", wrong, "PostgreSQL would refuse the file",
		"SQL that PostgreSQL parses",
	}

	dropTable = &rule{
		"drop-table", wrong, "the rows are lost, and a program that still runs uses the table",
		"stop using it, deploy, then drop it with a nolint line that says so",
	}
	dropColumn = &rule{
		"drop-column", wrong, "the values are lost, and a program that still runs names the column in every query",
		"stop using it, deploy, then drop it with a nolint line that says so",
	}
	dropSchema = &rule{
		"drop-schema", wrong, "everything in it is lost",
		"leave a school's schema to \"homeroom school purge\"",
	}
	truncate = &rule{
		"truncate", wrong, "all rows are lost",
		"DELETE the rows that must go, with a WHERE",
	}
	deleteAll = &rule{
		"delete-all", wrong, "all rows are lost",
		"DELETE with a WHERE that says which",
	}

	addNotNull = &rule{
		"add-not-null", wrong, "it fails on every table that has a row, and so on some schools alone",
		"add the column with a DEFAULT, or as NULL, fill it, then set it NOT NULL",
	}
	setNotNull = &rule{
		"set-not-null", wrong, "it reads the whole table while nobody can use it",
		"ADD CONSTRAINT c CHECK (column IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT c, best in a later file; then SET NOT NULL, which trusts c",
	}
	changeType = &rule{
		"change-type", wrong, "it rewrites the table and its indexes while nobody can use it, or fails on a value that does not fit",
		"add a column of the new type, fill it, move the program to it; only a longer varchar, or text for varchar, costs nothing",
	}
	volatileDefault = &rule{
		"volatile-default", wrong, "it writes every row anew while nobody can use the table",
		"add the column without the default, set the default in a statement of its own, fill old rows in parts",
	}
	rewriteTable = &rule{
		"rewrite-table", wrong, "it rewrites the table or its indexes while nobody can use it",
		"REINDEX ... CONCURRENTLY in a file with \"-- atlas:txmode none\"; the rest is maintenance, not a migration",
	}

	indexBlocks = &rule{
		"index-blocks", wrong, "writes to the table wait until the index is built",
		"CREATE INDEX CONCURRENTLY IF NOT EXISTS in a file that begins with \"-- atlas:txmode none\"",
	}
	uniqueData = &rule{
		"unique-data", doubtful, "it fails on the schools whose rows hold a value twice",
		"look for such rows in every school first, and mend them in an earlier file",
	}
	needsTxmodeNone = &rule{
		"needs-txmode-none", wrong, "PostgreSQL refuses it inside a transaction, which a file is",
		"a file of its own that begins with \"-- atlas:txmode none\" and an empty line",
	}
	transaction = &rule{
		"transaction", wrong, "the file would end, or nest, the transaction that applies and records it",
		"leave it out: a file is one transaction",
	}
	constraintScans = &rule{
		"constraint-scans", wrong, "it checks every row while writes, and for a CHECK reads, wait",
		"add it NOT VALID, then VALIDATE CONSTRAINT, best in a later file",
	}
	constraintIndex = &rule{
		"constraint-index", wrong, "nobody can use the table until its index is built",
		"CREATE UNIQUE INDEX CONCURRENTLY in a file of its own, then ADD CONSTRAINT ... USING INDEX",
	}

	renameTable = &rule{
		"rename-table", wrong, "a program that still runs uses the old name",
		"make a new one beside it, or rename in the graph alone (entsql.Table)",
	}
	renameColumn = &rule{
		"rename-column", wrong, "a program that still runs uses the old name",
		"add a column, fill it, move the program to it; or rename in the graph alone (StorageKey)",
	}

	foreignName = &rule{
		"foreign-name", wrong, "a file serves one schema, whatever its name, and knows no other",
		"names without a schema; a plain column instead of a foreign key to another schema",
	}
	outsideSchema = &rule{
		"outside-schema", wrong, "it changes what is not this schema's: the search_path, a schema, a role, the database",
		"leave schemas, roles and the search_path to homeroom",
	}

	sessionSetting = &rule{
		"session-setting", wrong, "it outlives the file, on the connection that other schools are served by next",
		"SET LOCAL, or set_config(..., true)",
	}

	citusAlone = &rule{
		"citus-alone", doubtful, "Citus takes it as the only subcommand of an ALTER TABLE (its table.c, ErrorIfUnsupportedAlterTableStmt)",
		"an ALTER TABLE statement for each",
	}

	nolint = &rule{
		"nolint", wrong, "an exception must name a rule that the statement breaks, and say why it may",
		"-- homeroom:nolint RULE reason, right above the statement; above the file's first empty line for all of it",
	}
)

// rules are all there are.
var rules = []*rule{
	syntax, dropTable, dropColumn, dropSchema, truncate, deleteAll, addNotNull, setNotNull, changeType, volatileDefault, rewriteTable,
	indexBlocks, uniqueData, needsTxmodeNone, transaction, constraintScans, constraintIndex, renameTable, renameColumn, foreignName, outsideSchema, sessionSetting,
	citusAlone, nolint,
}

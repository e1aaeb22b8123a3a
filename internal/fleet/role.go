package fleet

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
)

// RoleName is the name of the PostgreSQL role of a school. Roles belong to the server, not to a
// database, so the school's id makes it unique; the schema's name is there for people.
func RoleName(schema string, schoolID uuid.UUID) string {
	return rolePrefix(schema) + hex.EncodeToString(schoolID[10:])
}

func rolePrefix(schema string) string {
	const most = 63 - len("hr_") - 1 - 12
	if len(schema) > most {
		schema = schema[:most]
	}
	return "hr_" + schema + "_"
}

// CreateRoleScript returns the SQL that makes a school's role: it may use its schema and read and
// write the rows there, and nothing else. The login becomes a member, so that it may take the role
// on. It comes after CreateScript, in the same transaction.
func CreateRoleScript(schema, role string) string {
	return fmt.Sprintf(`CREATE ROLE %[2]s NOLOGIN;
GRANT %[2]s TO CURRENT_USER;
GRANT USAGE ON SCHEMA %[1]s TO %[2]s;
`, ident(schema), ident(role)) + grants(schema)
}

// DropRoleScript returns the SQL that takes away what CreateRoleScript made, once the schema is
// dropped.
func DropRoleScript(role string) string { return "DROP ROLE IF EXISTS " + ident(role) + ";\n" }

// grants gives the school's role, if it has one, the right to the schema's rows; those of the revisions
// are the migrations' alone, and other roles that may use the schema, those of other schools too, keep what somebody gave them. It is
// repeated after each migration: new tables come without grants. The tables are found through what
// depends on the schema: for GRANT ... ON ALL TABLES IN SCHEMA PostgreSQL reads all of pg_class, which is
// long with a thousand schools.
func grants(schema string) string {
	return fmt.Sprintf(`DO $grants$ DECLARE grantee text; tables text; sequences text; BEGIN
SELECT string_agg(c.oid::pg_catalog.regclass::text, ', ') FILTER (WHERE c.relkind <> 'S'), string_agg(c.oid::pg_catalog.regclass::text, ', ') FILTER (WHERE c.relkind = 'S')
  INTO tables, sequences FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid
  WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = %[1]s::pg_catalog.regnamespace
  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> 'atlas_schema_revisions';
FOR grantee IN SELECT DISTINCT a.grantee::pg_catalog.regrole FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
  WHERE n.oid = %[1]s::pg_catalog.regnamespace AND a.privilege_type = 'USAGE' AND pg_catalog.regexp_replace(pg_catalog.pg_get_userbyid(a.grantee), '[0-9a-f]{12}$', '') = %[2]s LOOP
IF tables IS NOT NULL THEN EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON ' || tables || ' TO ' || grantee; END IF;
IF sequences IS NOT NULL THEN EXECUTE 'GRANT USAGE ON ' || sequences || ' TO ' || grantee; END IF;
END LOOP; END $grants$;
`, literal(ident(schema)), literal(rolePrefix(schema)))
}

package fleet

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
)

// RoleName is the name of the PostgreSQL role of a school. Roles belong to the server, not to a
// database, so the school's id makes it unique; the schema's name is there for people.
func RoleName(schema string, schoolID uuid.UUID) string {
	const most = 63 - len("hr_") - 1 - 12
	if len(schema) > most {
		schema = schema[:most]
	}
	return "hr_" + schema + "_" + hex.EncodeToString(schoolID[10:])
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

// grants gives whoever may use the schema the right to its rows; those of the revisions are the
// migrations' alone. It is repeated after each migration: new tables come without grants.
func grants(schema string) string {
	return fmt.Sprintf(`DO $grants$ DECLARE grantee name; BEGIN
FOR grantee IN SELECT DISTINCT r.rolname FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
  WHERE n.nspname = %[1]s AND a.privilege_type = 'USAGE' AND a.grantee <> n.nspowner LOOP
EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %%I TO %%I', %[1]s, grantee);
EXECUTE pg_catalog.format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %%I TO %%I', %[1]s, grantee);
EXECUTE pg_catalog.format('REVOKE ALL ON %%I.atlas_schema_revisions FROM %%I', %[1]s, grantee);
END LOOP; END $grants$;
`, literal(schema))
}

-- A row for each object of the schemas $1, whose schools have the roles $2, "" for none: its schema, kind, table,
-- name and definition. Nothing in a row depends on the schema's name, on OIDs or on the order in which things were
-- made. A row with should is about rights: it is there only where they are not what they should be.
WITH asked AS MATERIALIZED (
  SELECT n.oid AS schema, n.nspname, n.nspowner, n.nspacl, quote_ident(n.nspname) || '.' AS prefix, a.role AS role_name, r.oid AS role
  FROM unnest($1::text[], $2::text[]) AS a (name, role) JOIN pg_namespace n ON n.nspname = a.name LEFT JOIN pg_roles r ON r.rolname = a.role
), extended AS MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
), strangers AS MATERIALIZED ( -- PUBLIC and the roles of schools
  SELECT oid, quote_ident(rolname) AS name FROM pg_roles WHERE rolname ~ '^hr_.+_[0-9a-f]{12}$' UNION ALL SELECT 0, 'PUBLIC'
), relations AS MATERIALIZED (
  SELECT a.*, c.oid, c.relkind, c.relname, quote_ident(c.relname) AS name, c.relpersistence, c.relrowsecurity, c.relowner, c.relacl
  FROM pg_class c JOIN asked a ON a.schema::bigint = c.relnamespace::bigint -- one pass: an index has the names first and is read whole for each schema
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_class'::regclass)
    AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')) -- of an identity
), tables AS MATERIALIZED (
  SELECT * FROM relations WHERE relkind IN ('r', 'p', 'f') AND relname <> 'atlas_schema_revisions'
), columns AS MATERIALIZED (
  SELECT t.schema, t.name AS table, quote_ident(c.attname) AS name, c.* FROM tables t JOIN pg_attribute c ON c.attrelid = t.oid WHERE c.attnum > 0 AND NOT c.attisdropped
), lists AS MATERIALIZED (
  SELECT schema, 'SCHEMA ' || quote_ident(nspname) AS target, nspacl AS acl, nspowner AS owner, role, role_name, 'USAGE' AS should FROM asked
  UNION ALL
  SELECT schema, CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || name, relacl, relowner, role, role_name,
    CASE WHEN relname = 'atlas_schema_revisions' THEN '' WHEN relkind = 'S' THEN 'USAGE' ELSE 'DELETE, INSERT, SELECT, UPDATE' END FROM relations
), objects (schema, kind, "table", name, position, definition, should) AS (
  SELECT schema, CASE relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, name, '', 0, CASE relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END, NULL FROM tables
  UNION ALL
  SELECT schema, 'row security', name, '', 0, 'ENABLED', NULL FROM tables WHERE relrowsecurity
  UNION ALL
  SELECT schema, CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name, '', 0, pg_get_viewdef(oid), NULL FROM relations WHERE relkind IN ('v', 'm')
  UNION ALL
  SELECT r.schema, 'sequence', r.name, '', 0, format('AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %sCYCLE', format_type(s.seqtypid, NULL),
    s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN '' ELSE 'NO ' END), NULL
  FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
  UNION ALL
  SELECT c.schema, 'column', c.table, c.name, c.attnum, format_type(c.atttypid, c.atttypmod)
    || CASE WHEN c.attcollation <> t.typcollation THEN ' COLLATE ' || (SELECT quote_ident(nspname) || '.' || quote_ident(collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = c.attcollation) ELSE '' END
    || CASE WHEN c.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = c.attrelid AND adnum = c.attnum) || ') STORED' ELSE '' END, NULL
  FROM columns c JOIN pg_type t ON t.oid = c.atttypid
  UNION ALL
  SELECT c.schema, 'default', c.table, c.name, 0, pg_get_expr(d.adbin, d.adrelid), NULL FROM columns c JOIN pg_attrdef d ON d.adrelid = c.attrelid AND d.adnum = c.attnum
  WHERE c.atthasdef AND c.attgenerated = ''
  UNION ALL
  SELECT schema, 'identity', "table", name, 0, CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, NULL FROM columns WHERE attidentity <> ''
  UNION ALL
  SELECT schema, 'not null', "table", name, 0, 'NOT NULL', NULL FROM columns WHERE attnotnull
  UNION ALL
  SELECT t.schema, CASE c.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END, t.name, quote_ident(c.conname), 0,
    replace(pg_get_constraintdef(c.oid), ' REFERENCES ' || t.prefix, ' REFERENCES ') || CASE WHEN c.oid IN (SELECT tgconstraint FROM pg_trigger WHERE tgenabled <> 'O') THEN ' DISABLED' ELSE '' END, NULL
  FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
  UNION ALL
  SELECT t.schema, 'index', t.name, quote_ident(n.relname), 0, replace(pg_get_indexdef(i.indexrelid), ' ON ' || t.prefix, ' ON ') || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END, NULL
  FROM (SELECT * FROM tables UNION ALL SELECT * FROM relations WHERE relkind = 'm') t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class n ON n.oid = i.indexrelid
  WHERE i.indexrelid NOT IN (SELECT conindid FROM pg_constraint WHERE contype IN ('p', 'u', 'x'))
  UNION ALL
  SELECT r.schema, 'trigger', r.name, quote_ident(g.tgname), 0, pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' DISABLED' END, NULL
  FROM relations r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
  UNION ALL
  SELECT a.schema, 'function', format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), '', 0, regexp_replace(pg_get_functiondef(p.oid), '^(CREATE OR REPLACE \w+ )("([^"]|"")+"|\w+)\.', '\1'), NULL
  FROM asked a JOIN pg_proc p ON p.pronamespace = a.schema WHERE p.prokind <> 'a' AND p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_proc'::regclass)
  UNION ALL
  SELECT a.schema, 'role', quote_ident(a.role_name), '', 0, '', 'NOLOGIN' FROM asked a WHERE a.role_name <> '' AND a.role IS NULL
  UNION ALL
  SELECT a.schema, 'role attribute', quote_ident(a.role_name), attribute, 0, attribute, ''
  FROM asked a JOIN pg_roles r ON r.oid = a.role, unnest(ARRAY[CASE WHEN rolcanlogin THEN 'LOGIN' END, CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
    CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END]) AS attribute WHERE attribute IS NOT NULL
  UNION ALL
  SELECT a.schema, 'membership', quote_ident(a.role_name), quote_ident(r.rolname), 0, 'MEMBER', '' FROM asked a JOIN pg_auth_members m ON m.member = a.role JOIN pg_roles r ON r.oid = m.roleid
  UNION ALL
  SELECT r.schema, 'owner', r.name, '', 0, s.name, '' FROM relations r JOIN strangers s ON s.oid = r.relowner WHERE r.relkind <> 'S'
  UNION ALL
  SELECT l.schema, 'grant', l.target, quote_ident(l.role_name), 0, coalesce(has.rights, ''), l.should
  FROM lists l LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ') AS rights FROM aclexplode(l.acl) x WHERE x.grantee = l.role AND x.grantee <> l.owner
  ) has ON true
  WHERE l.role_name <> '' AND coalesce(has.rights, '') <> l.should
  UNION ALL
  SELECT l.schema, 'dangerous grant', l.target, s.name, 0, string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', '), ''
  FROM lists l, aclexplode(l.acl) x JOIN strangers s ON s.oid = x.grantee
  WHERE x.grantee IS DISTINCT FROM l.role AND x.grantee <> l.owner AND NOT (x.grantee = 0 AND l.target = 'SCHEMA public' AND x.privilege_type = 'USAGE')
  GROUP BY l.schema, l.target, s.name
  UNION ALL
  SELECT r.schema, CASE WHEN x.grantee IS NOT DISTINCT FROM r.role THEN 'grant' ELSE 'dangerous grant' END, 'TABLE ' || r.name, s.name, 0, string_agg(DISTINCT format('%s (%I)', x.privilege_type, c.attname), ', '), ''
  FROM relations r JOIN pg_attribute c ON c.attrelid = r.oid AND c.attacl IS NOT NULL, aclexplode(c.attacl) x JOIN strangers s ON s.oid = x.grantee
  GROUP BY 1, 2, 3, 4
), plain AS ( -- the schema's name goes where it qualifies one: not in a text, but in that of a regclass
  SELECT a.nspname, o.kind, o.table, o.name, o.position, o.should,
    CASE WHEN o.kind <> 'function' AND strpos(o.definition, a.prefix) > 0
      THEN regexp_replace(o.definition, '(^|[^[:alnum:]_"''.$]|''(?=[^'']*''::regclass))' || regexp_replace(a.prefix, '([^[:alnum:]_])', '\\\1', 'g'), '\1', 'g')
      ELSE o.definition END AS definition
  FROM objects o JOIN asked a ON a.schema = o.schema
)

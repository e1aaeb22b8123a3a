-- Schools that change are announced by the statement, not by the row: a migration records a hundred at once.
CREATE FUNCTION "announce_schools"() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_notify('homeroom_tenancy', 'school ' || id) FROM (SELECT id FROM before UNION SELECT id FROM after) AS changed;
  RETURN NULL;
END
$$;
DROP TRIGGER "announce_tenancy" ON "clients";
-- Create triggers on table: "clients"
CREATE TRIGGER "announce_tenancy" AFTER INSERT OR DELETE ON "clients" FOR EACH ROW EXECUTE FUNCTION "announce_tenancy"();
CREATE TRIGGER "announce_schools" AFTER UPDATE ON "clients" REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION "announce_schools"();

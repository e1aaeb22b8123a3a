-- A registered database that changes is announced too, as "database <name>": every process that has
-- connections open to it lets go of them (internal/tenancy).
CREATE FUNCTION "announce_database"() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_notify('homeroom_tenancy', 'database ' || OLD.name);
  RETURN NULL;
END
$$;
-- Create trigger on table: "databases"
CREATE TRIGGER "announce_database" AFTER UPDATE OR DELETE ON "databases" FOR EACH ROW
  EXECUTE FUNCTION "announce_database"();

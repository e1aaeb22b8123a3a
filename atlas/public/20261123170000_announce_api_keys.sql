-- An API key that changes is announced too, as "key <id>": every process that remembers it reads it anew
-- (internal/tenancy). That there is no such key is not remembered, so a new one goes without saying.
CREATE FUNCTION "announce_api_key"() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_notify('homeroom_tenancy', 'key ' || OLD.id);
  RETURN NULL;
END
$$;
-- Create triggers on table: "api_keys"
CREATE TRIGGER "announce_api_key" AFTER UPDATE OR DELETE ON "api_keys" FOR EACH ROW EXECUTE FUNCTION "announce_api_key"();
CREATE TRIGGER "announce_tenancy_all" AFTER TRUNCATE ON "api_keys" FOR EACH STATEMENT EXECUTE FUNCTION "announce_tenancy"();

-- Whatever changes where a host or a contact leads is announced on the channel homeroom_tenancy with the
-- transaction that changes it, whoever makes it: "school <id>", "domain <host>", "contact <SHA-256 of its phone
-- or WhatsApp user id>" (any login of the database may listen), or "all". Every process that keeps schools in
-- memory listens there (internal/tenancy).
CREATE FUNCTION "announce_tenancy"() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  line jsonb;
BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN -- TRUNCATE, which tells no rows
    PERFORM pg_notify('homeroom_tenancy', 'all');
    RETURN NULL;
  END IF;
  -- What the row was and what it is: a domain that was renamed is gone under the one name and there under the other.
  FOREACH line IN ARRAY ARRAY[to_jsonb(OLD), to_jsonb(NEW)] LOOP
    CONTINUE WHEN line IS NULL;
    IF TG_TABLE_NAME = 'clients' THEN
      PERFORM pg_notify('homeroom_tenancy', 'school ' || (line ->> 'id'));
    ELSIF TG_TABLE_NAME = 'domains' THEN
      PERFORM pg_notify('homeroom_tenancy', 'domain ' || left(line ->> 'domain', 253)); -- a longer one is no host, and a message holds 8,000 bytes
    ELSE
      PERFORM pg_notify('homeroom_tenancy', 'contact ' || encode(sha256(convert_to(key, 'UTF8')), 'hex'))
        FROM unnest(ARRAY[line ->> 'phone', line ->> 'whatsapp_user_id']) AS key WHERE key IS NOT NULL;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
-- Create triggers on table: "clients"
CREATE TRIGGER "announce_tenancy" AFTER INSERT OR UPDATE OR DELETE ON "clients" FOR EACH ROW EXECUTE FUNCTION "announce_tenancy"();
CREATE TRIGGER "announce_tenancy_all" AFTER TRUNCATE ON "clients" FOR EACH STATEMENT EXECUTE FUNCTION "announce_tenancy"();
-- Create triggers on table: "domains"
CREATE TRIGGER "announce_tenancy" AFTER INSERT OR UPDATE OR DELETE ON "domains" FOR EACH ROW EXECUTE FUNCTION "announce_tenancy"();
CREATE TRIGGER "announce_tenancy_all" AFTER TRUNCATE ON "domains" FOR EACH STATEMENT EXECUTE FUNCTION "announce_tenancy"();
-- Create triggers on table: "whatsapp_contacts"
CREATE TRIGGER "announce_tenancy" AFTER INSERT OR UPDATE OR DELETE ON "whatsapp_contacts" FOR EACH ROW EXECUTE FUNCTION "announce_tenancy"();
CREATE TRIGGER "announce_tenancy_all" AFTER TRUNCATE ON "whatsapp_contacts" FOR EACH STATEMENT EXECUTE FUNCTION "announce_tenancy"();

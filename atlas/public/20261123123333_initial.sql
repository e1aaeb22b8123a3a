-- Create "api_keys" table
CREATE TABLE "api_keys" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "name" character varying NOT NULL,
  "role" character varying NOT NULL,
  "secret_hash" bytea NOT NULL,
  "expires_at" timestamptz NULL,
  "last_used_at" timestamptz NULL,
  "revoked_at" timestamptz NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "api_keys_role" CHECK ((role)::text = ANY ((ARRAY['owner'::character varying, 'operator'::character varying, 'viewer'::character varying])::text[]))
);
-- Create "audit_events" table
CREATE TABLE "audit_events" (
  "id" uuid NOT NULL,
  "at" timestamptz NOT NULL DEFAULT now(),
  "actor" character varying NOT NULL,
  "action" character varying NOT NULL,
  "school_id" uuid NULL,
  "school_code" character varying NULL,
  "request_id" character varying NULL,
  "address" character varying NULL,
  "details" jsonb NULL,
  PRIMARY KEY ("id")
);
-- Create index "auditevent_school_id_id" to table: "audit_events"
CREATE INDEX "auditevent_school_id_id" ON "audit_events" ("school_id", "id");
-- Create "clients" table
CREATE TABLE "clients" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "name" character varying NOT NULL,
  "code" character varying NOT NULL,
  "schema_name" character varying NOT NULL,
  "setup_progress" character varying NOT NULL DEFAULT 'not_started',
  "is_active" boolean NOT NULL DEFAULT true,
  "state" character varying NOT NULL DEFAULT 'provisioning',
  "isolation" character varying NOT NULL DEFAULT 'schema',
  "database" character varying NOT NULL DEFAULT 'primary',
  "schema_version" character varying NOT NULL DEFAULT '',
  "deleted_at" timestamptz NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "clients_code" CHECK (((code)::text ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND ((length((code)::text) >= 2) AND (length((code)::text) <= 40))),
  CONSTRAINT "clients_deleted_at" CHECK (((state)::text = 'deleted'::text) = (deleted_at IS NOT NULL)),
  CONSTRAINT "clients_isolation" CHECK ((isolation)::text = ANY ((ARRAY['schema'::character varying, 'database'::character varying])::text[])),
  CONSTRAINT "clients_schema_name" CHECK (((schema_name)::text ~ '^[a-z][a-z0-9_]{0,62}$'::text) AND ((schema_name)::text !~ '^pg_'::text) AND ((schema_name)::text <> ALL ((ARRAY['public'::character varying, 'information_schema'::character varying])::text[]))),
  CONSTRAINT "clients_setup_progress" CHECK ((setup_progress)::text = ANY ((ARRAY['not_started'::character varying, 'in_progress'::character varying, 'completed'::character varying])::text[])),
  CONSTRAINT "clients_state" CHECK ((state)::text = ANY ((ARRAY['provisioning'::character varying, 'ready'::character varying, 'moving'::character varying, 'deleted'::character varying, 'failed'::character varying])::text[]))
);
-- Create index "clients_code_key" to table: "clients"
CREATE UNIQUE INDEX "clients_code_key" ON "clients" ("code");
-- Create index "clients_schema_name_key" to table: "clients"
CREATE UNIQUE INDEX "clients_schema_name_key" ON "clients" ("schema_name");
-- Create index "school_database" to table: "clients"
CREATE INDEX "school_database" ON "clients" ("database");
-- Create index "school_name_id" to table: "clients"
CREATE INDEX "school_name_id" ON "clients" ("name", "id");
-- Create "domains" table
CREATE TABLE "domains" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "domain" character varying NOT NULL,
  "is_primary" boolean NOT NULL DEFAULT false,
  "tenant_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "domains_clients_domains" FOREIGN KEY ("tenant_id") REFERENCES "clients" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "domains_domain" CHECK (((domain)::text = lower((domain)::text)) AND ((domain)::text !~ '[[:space:]:/]'::text))
);
-- Create index "domain_tenant_id" to table: "domains"
CREATE INDEX "domain_tenant_id" ON "domains" ("tenant_id");
-- Create index "domains_domain_key" to table: "domains"
CREATE UNIQUE INDEX "domains_domain_key" ON "domains" ("domain");
-- Create index "domains_one_primary" to table: "domains"
CREATE UNIQUE INDEX "domains_one_primary" ON "domains" ("tenant_id") WHERE is_primary;
-- Create "school_setups" table
CREATE TABLE "school_setups" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "steps" jsonb NOT NULL,
  "contacted_by" character varying NULL,
  "school_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "school_setups_clients_setup" FOREIGN KEY ("school_id") REFERENCES "clients" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "school_setups_school_id_key" to table: "school_setups"
CREATE UNIQUE INDEX "school_setups_school_id_key" ON "school_setups" ("school_id");
-- Create "whatsapp_contacts" table
CREATE TABLE "whatsapp_contacts" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "phone" character varying NULL,
  "whatsapp_user_id" character varying NULL,
  "display_name" character varying NULL,
  "school_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "whatsapp_contacts_clients_whatsapp_contacts" FOREIGN KEY ("school_id") REFERENCES "clients" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "whatsapp_contacts_key" CHECK ((phone IS NOT NULL) OR (whatsapp_user_id IS NOT NULL)),
  CONSTRAINT "whatsapp_contacts_phone" CHECK ((phone)::text ~ '^\+[1-9][0-9]{6,14}$'::text)
);
-- Create index "whatsapp_contacts_phone_key" to table: "whatsapp_contacts"
CREATE UNIQUE INDEX "whatsapp_contacts_phone_key" ON "whatsapp_contacts" ("phone");
-- Create index "whatsapp_contacts_whatsapp_user_id_key" to table: "whatsapp_contacts"
CREATE UNIQUE INDEX "whatsapp_contacts_whatsapp_user_id_key" ON "whatsapp_contacts" ("whatsapp_user_id");
-- Create index "whatsappcontact_school_id" to table: "whatsapp_contacts"
CREATE INDEX "whatsappcontact_school_id" ON "whatsapp_contacts" ("school_id");

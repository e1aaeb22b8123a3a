-- Create "databases" table
CREATE TABLE "databases" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "name" character varying NOT NULL,
  "url" character varying NOT NULL,
  "password_ref" character varying NULL,
  "capacity" bigint NOT NULL DEFAULT 500,
  "kind" character varying NOT NULL DEFAULT 'shared',
  "is_active" boolean NOT NULL DEFAULT true,
  PRIMARY KEY ("id"),
  CONSTRAINT "databases_capacity" CHECK ((capacity >= 1) AND (capacity <= 100000)),
  CONSTRAINT "databases_kind" CHECK ((kind)::text = ANY ((ARRAY['shared'::character varying, 'dedicated'::character varying])::text[])),
  CONSTRAINT "databases_name" CHECK (((name)::text ~ '^[a-z][a-z0-9-]{0,62}$'::text) AND ((name)::text <> 'primary'::text)),
  CONSTRAINT "databases_password_ref" CHECK ((password_ref)::text ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$'::text),
  CONSTRAINT "databases_url" CHECK (((url)::text ~ '^postgres(ql)?://'::text) AND ((url)::text !~ '^[^/]*//[^/@]*:[^/@]*@'::text) AND ((url)::text !~* '[?&](ssl)?password='::text))
);
-- Create index "databases_name_key" to table: "databases"
CREATE UNIQUE INDEX "databases_name_key" ON "databases" ("name");

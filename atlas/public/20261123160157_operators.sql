-- Create "login_limits" table
CREATE TABLE "login_limits" (
  "id" uuid NOT NULL,
  "subject" bytea NOT NULL,
  "attempts" bigint NOT NULL,
  "ends_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "login_limits_subject_key" to table: "login_limits"
CREATE UNIQUE INDEX "login_limits_subject_key" ON "login_limits" ("subject");
-- Create index "loginlimit_ends_at" to table: "login_limits"
CREATE INDEX "loginlimit_ends_at" ON "login_limits" ("ends_at");
-- Create "operators" table
CREATE TABLE "operators" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "email" character varying NOT NULL,
  "full_name" character varying NOT NULL,
  "role" character varying NOT NULL,
  "is_active" boolean NOT NULL DEFAULT true,
  "password_hash" character varying NULL,
  "last_login_at" timestamptz NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "operators_email" CHECK ((email)::text = lower((email)::text)),
  CONSTRAINT "operators_role" CHECK ((role)::text = ANY ((ARRAY['owner'::character varying, 'operator'::character varying, 'viewer'::character varying])::text[]))
);
-- Create index "operator_full_name_id" to table: "operators"
CREATE INDEX "operator_full_name_id" ON "operators" ("full_name", "id");
-- Create index "operators_email_key" to table: "operators"
CREATE UNIQUE INDEX "operators_email_key" ON "operators" ("email");
-- Create "refresh_tokens" table
CREATE TABLE "refresh_tokens" (
  "id" uuid NOT NULL,
  "family" uuid NOT NULL,
  "secret_hash" bytea NOT NULL,
  "address" character varying NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "expires_at" timestamptz NOT NULL,
  "used_at" timestamptz NULL,
  "revoked_at" timestamptz NULL,
  "operator_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "refresh_tokens_operators_refresh_tokens" FOREIGN KEY ("operator_id") REFERENCES "operators" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "refreshtoken_expires_at" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_expires_at" ON "refresh_tokens" ("expires_at");
-- Create index "refreshtoken_family" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_family" ON "refresh_tokens" ("family");
-- Create index "refreshtoken_operator_id" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_operator_id" ON "refresh_tokens" ("operator_id");

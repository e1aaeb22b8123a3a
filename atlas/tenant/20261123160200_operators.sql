-- homeroom:requires

-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "invite_hash" bytea NULL, ADD COLUMN "invite_expires_at" timestamptz NULL;
-- homeroom:nolint constraint-scans a school has few users, and both columns are new
ALTER TABLE "users" ADD CONSTRAINT "users_invite" CHECK ((invite_hash IS NULL) = (invite_expires_at IS NULL));
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
  "user_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "refresh_tokens_users_refresh_tokens" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "refreshtoken_expires_at" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_expires_at" ON "refresh_tokens" ("expires_at");
-- Create index "refreshtoken_family" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_family" ON "refresh_tokens" ("family");
-- Create index "refreshtoken_user_id" to table: "refresh_tokens"
CREATE INDEX "refreshtoken_user_id" ON "refresh_tokens" ("user_id");

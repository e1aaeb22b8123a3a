-- Create "idempotency_keys" table
CREATE TABLE "idempotency_keys" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "principal" character varying NOT NULL,
  "key_hash" bytea NOT NULL,
  "request_hash" bytea NOT NULL,
  "answer" bytea NULL,
  "busy_until" timestamptz NOT NULL,
  "expires_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "idempotencykey_expires_at" to table: "idempotency_keys"
CREATE INDEX "idempotencykey_expires_at" ON "idempotency_keys" ("expires_at");
-- Create index "idempotencykey_principal_key_hash" to table: "idempotency_keys"
CREATE UNIQUE INDEX "idempotencykey_principal_key_hash" ON "idempotency_keys" ("principal", "key_hash");

-- Modify "clients" table
ALTER TABLE "clients" ADD COLUMN "migrated_at" timestamptz NULL, ADD COLUMN "migration_ms" bigint NOT NULL DEFAULT 0, ADD COLUMN "migration_error" character varying NOT NULL DEFAULT '';

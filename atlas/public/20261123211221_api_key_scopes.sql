-- A replica of an earlier version takes a key with scopes for one without: make such keys once all are replaced.
-- Modify "api_keys" table
ALTER TABLE "api_keys" ADD COLUMN "scopes" jsonb NOT NULL DEFAULT '[]';
-- homeroom:nolint constraint-scans a platform has few keys, and the column is new
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_scopes" CHECK (jsonb_typeof(scopes) = 'array'::text);

-- Create "operations" table
CREATE TABLE "operations" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "kind" character varying NOT NULL,
  "state" character varying NOT NULL DEFAULT 'pending',
  "progress" bigint NOT NULL DEFAULT 0,
  "detail" character varying NOT NULL DEFAULT '',
  "error" character varying NULL,
  "school_id" uuid NULL,
  "school_code" character varying NULL,
  "created_by" character varying NOT NULL,
  "request_id" character varying NOT NULL DEFAULT '',
  "address" character varying NOT NULL DEFAULT '',
  "started_at" timestamptz NULL,
  "finished_at" timestamptz NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "operations_finished" CHECK (((state)::text = ANY ((ARRAY['succeeded'::character varying, 'failed'::character varying])::text[])) = (finished_at IS NOT NULL)),
  CONSTRAINT "operations_progress" CHECK ((progress >= 0) AND (progress <= 100)),
  CONSTRAINT "operations_state" CHECK ((state)::text = ANY ((ARRAY['pending'::character varying, 'running'::character varying, 'succeeded'::character varying, 'failed'::character varying])::text[]))
);
-- Create index "operation_created_at_id" to table: "operations"
CREATE INDEX "operation_created_at_id" ON "operations" ("created_at", "id");
-- Create index "operation_school_id_created_at_id" to table: "operations"
CREATE INDEX "operation_school_id_created_at_id" ON "operations" ("school_id", "created_at", "id");
-- Create index "operation_state_created_at_id" to table: "operations"
CREATE INDEX "operation_state_created_at_id" ON "operations" ("state", "created_at", "id");

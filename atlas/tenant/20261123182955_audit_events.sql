-- homeroom:requires

-- Create "audit_events" table
CREATE TABLE "audit_events" (
  "id" uuid NOT NULL,
  "at" timestamptz NOT NULL DEFAULT now(),
  "actor" character varying NOT NULL,
  "action" character varying NOT NULL,
  "request_id" character varying NULL,
  "address" character varying NULL,
  "details" jsonb NULL,
  PRIMARY KEY ("id")
);
-- Create index "auditevent_at_id" to table: "audit_events"
CREATE INDEX "auditevent_at_id" ON "audit_events" ("at", "id");

-- Drop index "auditevent_school_id_id" from table: "audit_events"
DROP INDEX "auditevent_school_id_id";
-- Create index "auditevent_action_at_id" to table: "audit_events"
-- homeroom:nolint index-blocks a platform makes few changes, so the table is small
CREATE INDEX "auditevent_action_at_id" ON "audit_events" ("action", "at", "id");
-- Create index "auditevent_actor_at_id" to table: "audit_events"
-- homeroom:nolint index-blocks a platform makes few changes, so the table is small
CREATE INDEX "auditevent_actor_at_id" ON "audit_events" ("actor", "at", "id");
-- Create index "auditevent_at_id" to table: "audit_events"
-- homeroom:nolint index-blocks a platform makes few changes, so the table is small
CREATE INDEX "auditevent_at_id" ON "audit_events" ("at", "id");
-- Create index "auditevent_school_code_at_id" to table: "audit_events"
-- homeroom:nolint index-blocks a platform makes few changes, so the table is small
CREATE INDEX "auditevent_school_code_at_id" ON "audit_events" ("school_code", "at", "id");
-- Create index "auditevent_school_id_at_id" to table: "audit_events"
-- homeroom:nolint index-blocks a platform makes few changes, so the table is small
CREATE INDEX "auditevent_school_id_at_id" ON "audit_events" ("school_id", "at", "id");

-- Modify "clients" table
ALTER TABLE "clients" ADD COLUMN "role_name" character varying NOT NULL DEFAULT '';

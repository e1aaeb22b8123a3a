-- Create "subjects" table
CREATE TABLE "subjects" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "code" character varying NULL,
  "name" character varying NOT NULL,
  "description" character varying NULL,
  PRIMARY KEY ("id")
);
-- Create index "subject_code_name" to table: "subjects"
CREATE UNIQUE INDEX "subject_code_name" ON "subjects" ("code", "name");
-- Create index "subject_name_id" to table: "subjects"
CREATE INDEX "subject_name_id" ON "subjects" ("name", "id");
-- Create index "subject_source_id" to table: "subjects"
CREATE UNIQUE INDEX "subject_source_id" ON "subjects" ("source_id");
-- Create "academic_years" table
CREATE TABLE "academic_years" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "name" character varying NOT NULL,
  "starts_on" date NOT NULL,
  "ends_on" date NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "academic_years_dates" CHECK (starts_on < ends_on)
);
-- Create index "academic_years_name_key" to table: "academic_years"
CREATE UNIQUE INDEX "academic_years_name_key" ON "academic_years" ("name");
-- Create index "academicyear_source_id" to table: "academic_years"
CREATE UNIQUE INDEX "academicyear_source_id" ON "academic_years" ("source_id");
-- Create index "academicyear_starts_on_id" to table: "academic_years"
CREATE INDEX "academicyear_starts_on_id" ON "academic_years" ("starts_on", "id");
-- Create "terms" table
CREATE TABLE "terms" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "name" character varying NOT NULL,
  "starts_on" date NOT NULL,
  "ends_on" date NOT NULL,
  "academic_year_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "terms_academic_years_terms" FOREIGN KEY ("academic_year_id") REFERENCES "academic_years" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "terms_dates" CHECK (starts_on < ends_on)
);
-- Create index "term_academic_year_id_name" to table: "terms"
CREATE UNIQUE INDEX "term_academic_year_id_name" ON "terms" ("academic_year_id", "name");
-- Create index "term_source_id" to table: "terms"
CREATE UNIQUE INDEX "term_source_id" ON "terms" ("source_id");
-- Create index "term_starts_on_id" to table: "terms"
CREATE INDEX "term_starts_on_id" ON "terms" ("starts_on", "id");
-- Create "classes" table
CREATE TABLE "classes" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "name" character varying NOT NULL,
  "grade_level" character varying NULL,
  "period" character varying NULL,
  "room" character varying NULL,
  "capacity" bigint NULL,
  "subject_id" uuid NULL,
  "term_id" uuid NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "classes_subjects_classes" FOREIGN KEY ("subject_id") REFERENCES "subjects" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "classes_terms_classes" FOREIGN KEY ("term_id") REFERENCES "terms" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "classes_capacity" CHECK (capacity > 0)
);
-- Create index "class_grade_level" to table: "classes"
CREATE INDEX "class_grade_level" ON "classes" ("grade_level");
-- Create index "class_name_id" to table: "classes"
CREATE INDEX "class_name_id" ON "classes" ("name", "id");
-- Create index "class_source_id" to table: "classes"
CREATE UNIQUE INDEX "class_source_id" ON "classes" ("source_id");
-- Create index "class_subject_id" to table: "classes"
CREATE INDEX "class_subject_id" ON "classes" ("subject_id");
-- Create index "class_term_id" to table: "classes"
CREATE INDEX "class_term_id" ON "classes" ("term_id");
-- Create "assessments" table
CREATE TABLE "assessments" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "name" character varying NOT NULL,
  "kind" character varying NOT NULL,
  "max_score" numeric(7,2) NOT NULL,
  "weight" numeric(7,2) NOT NULL DEFAULT 1,
  "held_on" date NULL,
  "class_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "assessments_classes_assessments" FOREIGN KEY ("class_id") REFERENCES "classes" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "assessments_kind" CHECK ((kind)::text = ANY ((ARRAY['assignment'::character varying, 'quiz'::character varying, 'test'::character varying, 'exam'::character varying, 'project'::character varying])::text[])),
  CONSTRAINT "assessments_scores" CHECK ((max_score > (0)::numeric) AND (weight > (0)::numeric))
);
-- Create index "assessment_class_id_name" to table: "assessments"
CREATE UNIQUE INDEX "assessment_class_id_name" ON "assessments" ("class_id", "name");
-- Create index "assessment_held_on" to table: "assessments"
CREATE INDEX "assessment_held_on" ON "assessments" ("held_on");
-- Create index "assessment_source_id" to table: "assessments"
CREATE UNIQUE INDEX "assessment_source_id" ON "assessments" ("source_id");
-- Create "students" table
CREATE TABLE "students" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "admission_number" character varying NOT NULL,
  "first_name" character varying NOT NULL,
  "middle_name" character varying NULL,
  "last_name" character varying NOT NULL,
  "date_of_birth" date NULL,
  "gender" character varying NULL,
  "grade_level" character varying NULL,
  "status" character varying NOT NULL DEFAULT 'active',
  "email" character varying NULL,
  "phone" character varying NULL,
  "username" character varying NULL,
  "state_id" character varying NULL,
  "postal_code" character varying NULL,
  "race" character varying NULL,
  "is_hispanic" boolean NULL,
  "is_english_learner" boolean NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "students_gender" CHECK ((gender)::text = ANY ((ARRAY['female'::character varying, 'male'::character varying, 'other'::character varying])::text[])),
  CONSTRAINT "students_status" CHECK ((status)::text = ANY ((ARRAY['active'::character varying, 'graduated'::character varying, 'transferred'::character varying, 'withdrawn'::character varying, 'suspended'::character varying])::text[]))
);
-- Create index "student_email" to table: "students"
CREATE INDEX "student_email" ON "students" ("email");
-- Create index "student_first_name_id" to table: "students"
CREATE INDEX "student_first_name_id" ON "students" ("first_name", "id");
-- Create index "student_grade_level" to table: "students"
CREATE INDEX "student_grade_level" ON "students" ("grade_level");
-- Create index "student_last_name_id" to table: "students"
CREATE INDEX "student_last_name_id" ON "students" ("last_name", "id");
-- Create index "student_source_id" to table: "students"
CREATE UNIQUE INDEX "student_source_id" ON "students" ("source_id");
-- Create index "student_status" to table: "students"
CREATE INDEX "student_status" ON "students" ("status");
-- Create index "students_admission_number_key" to table: "students"
CREATE UNIQUE INDEX "students_admission_number_key" ON "students" ("admission_number");
-- Create "attendance_records" table
CREATE TABLE "attendance_records" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "date" date NOT NULL,
  "status" character varying NOT NULL,
  "note" character varying NULL,
  "class_id" uuid NULL,
  "student_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "attendance_records_classes_attendance_records" FOREIGN KEY ("class_id") REFERENCES "classes" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "attendance_records_students_attendance_records" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "attendance_records_status" CHECK ((status)::text = ANY ((ARRAY['present'::character varying, 'absent'::character varying, 'late'::character varying, 'excused'::character varying])::text[]))
);
-- Create index "attendance_records_one_a_day" to table: "attendance_records"
CREATE UNIQUE INDEX "attendance_records_one_a_day" ON "attendance_records" ("student_id", "date") WHERE (class_id IS NULL);
-- Create index "attendancerecord_class_id_date" to table: "attendance_records"
CREATE INDEX "attendancerecord_class_id_date" ON "attendance_records" ("class_id", "date");
-- Create index "attendancerecord_date" to table: "attendance_records"
CREATE INDEX "attendancerecord_date" ON "attendance_records" ("date");
-- Create index "attendancerecord_source_id" to table: "attendance_records"
CREATE UNIQUE INDEX "attendancerecord_source_id" ON "attendance_records" ("source_id");
-- Create index "attendancerecord_student_id_date_class_id" to table: "attendance_records"
CREATE UNIQUE INDEX "attendancerecord_student_id_date_class_id" ON "attendance_records" ("student_id", "date", "class_id");
-- Create "staff" table
CREATE TABLE "staff" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "staff_number" character varying NOT NULL,
  "first_name" character varying NOT NULL,
  "middle_name" character varying NULL,
  "last_name" character varying NOT NULL,
  "title" character varying NULL,
  "status" character varying NOT NULL DEFAULT 'active',
  "email" character varying NULL,
  "phone" character varying NULL,
  "username" character varying NULL,
  "state_id" character varying NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "staff_status" CHECK ((status)::text = ANY ((ARRAY['active'::character varying, 'on_leave'::character varying, 'left'::character varying])::text[]))
);
-- Create index "staff_email" to table: "staff"
CREATE INDEX "staff_email" ON "staff" ("email");
-- Create index "staff_first_name_id" to table: "staff"
CREATE INDEX "staff_first_name_id" ON "staff" ("first_name", "id");
-- Create index "staff_last_name_id" to table: "staff"
CREATE INDEX "staff_last_name_id" ON "staff" ("last_name", "id");
-- Create index "staff_source_id" to table: "staff"
CREATE UNIQUE INDEX "staff_source_id" ON "staff" ("source_id");
-- Create index "staff_staff_number_key" to table: "staff"
CREATE UNIQUE INDEX "staff_staff_number_key" ON "staff" ("staff_number");
-- Create index "staff_status" to table: "staff"
CREATE INDEX "staff_status" ON "staff" ("status");
-- Create "class_teachers" table
CREATE TABLE "class_teachers" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "position" bigint NOT NULL DEFAULT 1,
  "class_id" uuid NOT NULL,
  "staff_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "class_teachers_classes_teachers" FOREIGN KEY ("class_id") REFERENCES "classes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "class_teachers_staff_classes" FOREIGN KEY ("staff_id") REFERENCES "staff" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "class_teachers_position" CHECK ("position" > 0)
);
-- Create index "classteacher_class_id_staff_id" to table: "class_teachers"
CREATE UNIQUE INDEX "classteacher_class_id_staff_id" ON "class_teachers" ("class_id", "staff_id");
-- Create index "classteacher_staff_id" to table: "class_teachers"
CREATE INDEX "classteacher_staff_id" ON "class_teachers" ("staff_id");
-- Create "enrollments" table
CREATE TABLE "enrollments" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "status" character varying NOT NULL DEFAULT 'active',
  "enrolled_on" date NULL,
  "ended_on" date NULL,
  "class_id" uuid NOT NULL,
  "student_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "enrollments_classes_enrollments" FOREIGN KEY ("class_id") REFERENCES "classes" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "enrollments_students_enrollments" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "enrollments_dates" CHECK (enrolled_on <= ended_on),
  CONSTRAINT "enrollments_status" CHECK ((status)::text = ANY ((ARRAY['active'::character varying, 'completed'::character varying, 'withdrawn'::character varying])::text[]))
);
-- Create index "enrollment_class_id" to table: "enrollments"
CREATE INDEX "enrollment_class_id" ON "enrollments" ("class_id");
-- Create index "enrollment_source_id" to table: "enrollments"
CREATE UNIQUE INDEX "enrollment_source_id" ON "enrollments" ("source_id");
-- Create index "enrollment_status" to table: "enrollments"
CREATE INDEX "enrollment_status" ON "enrollments" ("status");
-- Create index "enrollment_student_id_class_id" to table: "enrollments"
CREATE UNIQUE INDEX "enrollment_student_id_class_id" ON "enrollments" ("student_id", "class_id");
-- Create "results" table
CREATE TABLE "results" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "score" numeric(7,2) NULL,
  "grade" character varying NULL,
  "comment" character varying NULL,
  "assessment_id" uuid NOT NULL,
  "student_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "results_assessments_results" FOREIGN KEY ("assessment_id") REFERENCES "assessments" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "results_students_results" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "results_score" CHECK (score >= (0)::numeric)
);
-- Create index "result_assessment_id_student_id" to table: "results"
CREATE UNIQUE INDEX "result_assessment_id_student_id" ON "results" ("assessment_id", "student_id");
-- Create index "result_source_id" to table: "results"
CREATE UNIQUE INDEX "result_source_id" ON "results" ("source_id");
-- Create index "result_student_id" to table: "results"
CREATE INDEX "result_student_id" ON "results" ("student_id");
-- Create "guardians" table
CREATE TABLE "guardians" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "source_id" character varying NULL,
  "full_name" character varying NOT NULL,
  "email" character varying NULL,
  "phone" character varying NULL,
  "address" character varying NULL,
  PRIMARY KEY ("id")
);
-- Create index "guardian_full_name_id" to table: "guardians"
CREATE INDEX "guardian_full_name_id" ON "guardians" ("full_name", "id");
-- Create index "guardian_phone" to table: "guardians"
CREATE INDEX "guardian_phone" ON "guardians" ("phone");
-- Create index "guardian_source_id" to table: "guardians"
CREATE UNIQUE INDEX "guardian_source_id" ON "guardians" ("source_id");
-- Create "student_guardians" table
CREATE TABLE "student_guardians" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "relationship" character varying NOT NULL,
  "is_primary" boolean NOT NULL DEFAULT false,
  "guardian_id" uuid NOT NULL,
  "student_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "student_guardians_guardians_students" FOREIGN KEY ("guardian_id") REFERENCES "guardians" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "student_guardians_students_guardians" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "studentguardian_guardian_id" to table: "student_guardians"
CREATE INDEX "studentguardian_guardian_id" ON "student_guardians" ("guardian_id");
-- Create index "studentguardian_student_id_guardian_id" to table: "student_guardians"
CREATE UNIQUE INDEX "studentguardian_student_id_guardian_id" ON "student_guardians" ("student_id", "guardian_id");
-- Create "users" table
CREATE TABLE "users" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "email" character varying NOT NULL,
  "full_name" character varying NOT NULL,
  "role" character varying NOT NULL,
  "is_active" boolean NOT NULL DEFAULT true,
  "password_hash" character varying NULL,
  "last_login_at" timestamptz NULL,
  "guardian_id" uuid NULL,
  "staff_id" uuid NULL,
  "student_id" uuid NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "users_guardians_users" FOREIGN KEY ("guardian_id") REFERENCES "guardians" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "users_staff_users" FOREIGN KEY ("staff_id") REFERENCES "staff" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "users_students_users" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE RESTRICT,
  CONSTRAINT "users_email" CHECK ((email)::text = lower((email)::text)),
  CONSTRAINT "users_role" CHECK ((role)::text = ANY ((ARRAY['admin'::character varying, 'staff'::character varying, 'teacher'::character varying, 'guardian'::character varying, 'student'::character varying])::text[]))
);
-- Create index "user_guardian_id" to table: "users"
CREATE INDEX "user_guardian_id" ON "users" ("guardian_id");
-- Create index "user_staff_id" to table: "users"
CREATE INDEX "user_staff_id" ON "users" ("staff_id");
-- Create index "user_student_id" to table: "users"
CREATE INDEX "user_student_id" ON "users" ("student_id");
-- Create index "users_email_key" to table: "users"
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");
-- Create "whatsapp_student_mappings" table
CREATE TABLE "whatsapp_student_mappings" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "phone" character varying NULL,
  "whatsapp_user_id" character varying NULL,
  "admission_number" character varying NOT NULL,
  "student_name" character varying NOT NULL,
  "student_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "whatsapp_student_mappings_students_whatsapp_mappings" FOREIGN KEY ("student_id") REFERENCES "students" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "whatsapp_student_mappings_key" CHECK ((phone IS NOT NULL) OR (whatsapp_user_id IS NOT NULL)),
  CONSTRAINT "whatsapp_student_mappings_phone" CHECK ((phone)::text ~ '^\+[1-9][0-9]{6,14}$'::text)
);
-- Create index "whatsappstudentmapping_phone_student_id" to table: "whatsapp_student_mappings"
CREATE UNIQUE INDEX "whatsappstudentmapping_phone_student_id" ON "whatsapp_student_mappings" ("phone", "student_id");
-- Create index "whatsappstudentmapping_student_id" to table: "whatsapp_student_mappings"
CREATE INDEX "whatsappstudentmapping_student_id" ON "whatsapp_student_mappings" ("student_id");
-- Create index "whatsappstudentmapping_whatsapp_user_id_student_id" to table: "whatsapp_student_mappings"
CREATE UNIQUE INDEX "whatsappstudentmapping_whatsapp_user_id_student_id" ON "whatsapp_student_mappings" ("whatsapp_user_id", "student_id");

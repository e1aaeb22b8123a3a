package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// retryAfter is how long a caller should wait for a database that is restarting or overloaded.
const retryAfter = 5 * time.Second

// Fault says in words what an error of the driver or the server means to whoever asked; any other
// error comes back untouched. It goes by SQLSTATE (PostgreSQL manual, appendix A), never by a
// constraint's name or a message's text: both differ between servers.
func Fault(err error) error {
	if err == nil { // by itself: what follows is allocated
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if e := fromState(pg); e != nil {
			return e.Because(err)
		}
		return err
	}
	var connect *pgconn.ConnectError
	var network net.Error
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
	if lost || errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
		return unavailable().Because(err)
	}
	return err
}

func unavailable() *fault.Error {
	return &fault.Error{Kind: fault.DatabaseUnavailable, Message: "The database can't be reached right now.", RetryAfter: retryAfter}
}

// NotEmpty is the SQLSTATE that we raise for a database that should be empty and is not.
const NotEmpty = "HR003"

func fromState(pg *pgconn.PgError) *fault.Error {
	switch pg.Code {
	case "23505": // unique_violation
		return conflict(pg)
	case "42P06": // duplicate_schema
		return &fault.Error{
			Kind: fault.Conflict, Message: "There is a schema of this name already.",
			Fields: []fault.Field{{Location: "body.schema_name", Message: "This is taken."}},
		}
	case NotEmpty:
		return fault.New(fault.Conflict, "The database is not empty: a school of its own takes an empty one.")
	case "42P04": // duplicate_database
		return &fault.Error{
			Kind: fault.Conflict, Message: "There is a database of this name already on that server.",
			Fields: []fault.Field{{Location: "body.schema_name", Message: "This is taken."}},
		}
	case "23503", "23001": // foreign_key_violation, restrict_violation
		return reference(pg)
	case "23502": // not_null_violation
		return fault.Invalid("body."+pg.ColumnName, "This is needed.")
	case "23514": // check_violation
		return fault.New(fault.InvalidInput, "The values don't go together: they break the rule %s.", pg.ConstraintName)
	case "22001": // string_data_right_truncation
		return fault.New(fault.InvalidInput, "A text is too long.")
	case "22021", "22P05": // character_not_in_repertoire, untranslatable_character
		return fault.New(fault.InvalidInput, "A text holds a character that can't be stored.")
	case "22003": // numeric_value_out_of_range
		return fault.New(fault.InvalidInput, "A number is out of range.")
	case "22P02": // invalid_text_representation
		return fault.New(fault.InvalidInput, "A value is not of the form that it should have.")
	case "22007", "22008": // invalid_datetime_format, datetime_field_overflow
		return fault.New(fault.InvalidInput, "A date or time is out of range.")
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return &fault.Error{Kind: fault.Conflict, Message: "Somebody else changed the same records at this moment; try again."}
	case "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25006":
		// lock_not_available, query_canceled, admin_shutdown, crash_shutdown, cannot_connect_now,
		// too_many_connections, read_only_sql_transaction
		return unavailable()
	}
	if strings.HasPrefix(pg.Code, "08") { // connection exceptions
		return unavailable()
	}
	return nil
}

// keyColumns finds the columns in the detail of a violation, "Key (a, b)=(1, 2) ...": the
// parentheses stay the same in every language.
var keyColumns = regexp.MustCompile(`\(([^=]*)\)=\(`)

func columns(pg *pgconn.PgError) []string {
	found := keyColumns.FindStringSubmatch(pg.Detail)
	if found == nil {
		return nil
	}
	return strings.Split(found[1], ", ")
}

func conflict(pg *pgconn.PgError) *fault.Error {
	e := fault.New(fault.Conflict, "There is one with the same %s already.", strings.Join(columns(pg), " and "))
	for _, column := range columns(pg) {
		e.Fields = append(e.Fields, fault.Field{Location: "body." + column, Message: "This is taken."})
	}
	return e
}

// reference tells the two foreign key violations apart by the key they name: a row that points at
// nothing names its own column, a row that others point at names its id.
func reference(pg *pgconn.PgError) *fault.Error {
	found := columns(pg)
	if len(found) == 1 && found[0] != "id" {
		return fault.Invalid("body."+found[0], "There is no such record in this place.")
	}
	return fault.New(fault.Conflict, "Other records (%s) still refer to this one.", strings.ReplaceAll(pg.TableName, "_", " "))
}

// IsUndefined reports whether a statement named a table, column or schema that is not there.
func IsUndefined(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "42703" || pg.Code == "3F000")
}

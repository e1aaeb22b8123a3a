package entpgx_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/homeroom-sms/homeroom/internal/entpgx"
)

// values are SQL expressions, some of each type.
var values = []string{
	"true", "false", "null::bool",
	"1::int2", "(-32768)::int2", "2147483647::int4", "(-1)::int4", "9223372036854775807::int8", "(-9223372036854775808)::int8", "null::int2", "null::int4", "null::int8",
	"1.1::float4", "'NaN'::float4", "1e300::float8", "'-Infinity'::float8", "'NaN'::float8", "0.1::float8", "null::float4", "null::float8",
	"12.50::numeric", "(-0.001)::numeric", "123456789012345678901234567890.5::numeric", "'NaN'::numeric", "42::numeric", "null::numeric",
	"'text'::text", "''::text", "'ünï 学校'::varchar(20)", "'12'::text", "'x'::char(3)", "'name'::name", "null::text", "null::varchar",
	"'2024-02-29'::date", "'1066-10-14'::date", "'infinity'::date", "null::date",
	"'2024-02-29 12:34:56.789012+02'::timestamptz", "'infinity'::timestamptz", "'1900-01-01 00:00:00+00'::timestamptz", "null::timestamptz",
	"'2024-02-29 12:34:56.789012'::timestamp", "'-infinity'::timestamp", "null::timestamp", "'12:34:56'::time", "'1 day 2 hours'::interval",
	"'0f3c1d6e-3d3a-4f1e-9a51-8b8d1e0c9b77'::uuid", "null::uuid",
	`'\x00ff10'::bytea`, `''::bytea`, "null::bytea",
	`'{"a": [1, null]}'::json`, `'{"a": [1, null]}'::jsonb`, "'null'::jsonb", "'7'::jsonb", "null::json", "null::jsonb",
	`'{a,"b c",NULL}'::text[]`, "'{}'::text[]", "'{1,2}'::int4[]", "null::text[]",
	"'10.0.0.0/8'::cidr", "'::1'::inet", "'students'::regclass", "1::oid", "'(1,2)'::point", "'mood'::mood", "null::mood",
}

// dests are what a value is read into.
func dests() []any {
	return []any{
		new(any), new(string), new(int), new(int64), new(int16), new(uint32), new(bool), new(float64), new(float32), new(time.Time), new([]byte), new(uuid.UUID), new(json.RawMessage),
		new(*string), new(*int), new(*int64), new(*bool), new(*float64), new(*time.Time), new(*uuid.UUID), new(*[]byte), new(driver.Value),
		new(sql.NullString), new(sql.NullInt64), new(sql.NullInt32), new(sql.NullBool), new(sql.NullFloat64), new(sql.NullTime), new(sql.Null[string]), new(uuid.NullUUID),
		&entsql.NullScanner{S: new(uuid.UUID)}, &entsql.NullScanner{S: new(sql.NullString)}, new(array), new(word), new(*word), new(number), new(pgtype.Numeric),
	}
}

type (
	word   string
	number int32
	array  struct{ saw any }
)

// Scan remembers what it was given.
func (a *array) Scan(v any) error {
	a.saw = v
	if b, ok := v.([]byte); ok {
		a.saw = append([]byte{}, b...)
	}
	return nil
}

// show puts what was read in a form that can be compared.
func show(v any) string {
	if t, ok := v.(time.Time); ok {
		return t.Format(time.RFC3339Nano) + " " + t.Location().String()
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.Kind() == reflect.Pointer && rv.IsNil():
		return "nil"
	case rv.Kind() == reflect.Pointer:
		return "&" + show(rv.Elem().Interface())
	case rv.Kind() == reflect.Struct && rv.Type() != reflect.TypeOf(pgtype.Numeric{}):
		var fields []string
		for i := range rv.NumField() {
			if rv.Type().Field(i).IsExported() {
				fields = append(fields, show(rv.Field(i).Interface()))
			}
		}
		if a, ok := v.(array); ok {
			fields = append(fields, show(a.saw))
		}
		return fmt.Sprintf("%T{%s}", v, strings.Join(fields, " "))
	}
	return fmt.Sprintf("%T(%#v)", v, v)
}

// TestReading holds that every type is read into every destination as database/sql does it;
// what that refuses, may be read.
func TestReading(t *testing.T) {
	t.Parallel()
	read := map[string]map[string]string{}
	url := database(t, schema)
	db, _ := open(t, url, entpgx.Options{})
	unnamed, _ := open(t, url, entpgx.Options{}, asPooled)
	reference := usual(t, url)
	_, err := reference.ExecContext(t.Context(), "CREATE TYPE mood AS ENUM ('mood')")
	must(t, err)
	for name, drv := range map[string]dialect.Driver{"database/sql": reference, "named": db.Driver(scope(schema)), "unnamed": unnamed.Driver(scope(schema))} {
		read[name] = map[string]string{}
		for _, value := range values {
			for i, dest := range dests() {
				key := fmt.Sprintf("%s into %d %T", value, i, dest)
				if err := readOne(t.Context(), drv, "SELECT "+value, dest); err != nil {
					read[name][key] = "refused"
					continue
				}
				read[name][key] = show(dest)
			}
		}
	}
	for key, want := range read["database/sql"] {
		for _, name := range []string{"named", "unnamed"} {
			if got := read[name][key]; got != want && want != "refused" {
				t.Errorf("%s, %s: %s, want %s", name, key, got, want)
			}
		}
	}
}

func readOne(ctx context.Context, drv dialect.Driver, query string, dest any) error {
	rows := &entsql.Rows{}
	if err := drv.Query(ctx, query, []any{}, rows); err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return sql.ErrNoRows
	}
	if err := rows.Scan(dest); err != nil {
		return err
	}
	return rows.Err()
}

// arguments are what ent and its users bind.
func arguments() []any {
	id, text, n, none := uuid.MustParse("0f3c1d6e-3d3a-4f1e-9a51-8b8d1e0c9b77"), "text", 7, (*string)(nil)
	at := time.Date(2024, 2, 29, 12, 34, 56, 789_012_345, time.FixedZone("", 2*60*60))
	return []any{
		nil, true, "", "text", "42", "1.5", "NaN", "t", `{"a": 1}`, "{a,b}", "2024-02-29", "ünï\\'", id.String(), word("named"), word("12"),
		7, int8(-7), int16(300), int32(-70000), int64(5_000_000_000), number(3), uint8(200), uint16(7), uint32(4_000_000_000), uint64(math.MaxUint64), time.Second, int64(math.MaxInt64),
		1.5, float32(0.1), 2.0, 1e21, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1),
		at, at.UTC(),
		time.Time{},
		time.Date(1066, 10, 14, 0, 0, 0, 0, time.UTC), time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC),
		id, &id,
		uuid.NullUUID{},
		uuid.NullUUID{UUID: id, Valid: true},
		(*uuid.UUID)(nil),
		[]byte("bytes"),
		[]byte{},
		[]byte(nil),
		[]byte{0, 255},
		json.RawMessage(`{"b": 2}`), json.RawMessage(nil),
		[]string{"a", "b c", ""},
		[]string(nil),
		[]int{1, 2},
		&text, &n, &none, none, &at,
		sql.NullString{},
		sql.NullString{String: "x", Valid: true},
		sql.NullInt64{Int64: 9, Valid: true},
		sql.NullTime{Time: at, Valid: true},
		sql.Null[int32]{V: 4, Valid: true},
		map[string]int{"c": 3},
		pgtype.Numeric{Int: big.NewInt(125), Exp: -1, Valid: true},
	}
}

// odd are arguments that database/sql with pgx reads in its own way, where refusing is better: fractions
// cut off for integers, bytes as the elements of an array, and durations and times as some text.
func odd(arg any, kind string) bool {
	switch arg.(type) {
	case float64, float32:
		return strings.HasPrefix(kind, "int")
	case []byte, json.RawMessage:
		return kind == "uuid" || kind == "int4[]"
	case time.Duration:
		return true
	case time.Time, *time.Time, sql.NullTime:
		return kind == "bytea"
	}
	return false
}

// TestWriting holds that every argument arrives in a parameter of every type as database/sql sends it;
// what that refuses, may arrive.
func TestWriting(t *testing.T) {
	t.Parallel()
	url := database(t, schema)
	db, _ := open(t, url, entpgx.Options{})
	unnamed, _ := open(t, url, entpgx.Options{}, asPooled)
	drivers := []dialect.Driver{usual(t, url), db.Driver(scope(schema)), unnamed.Driver(scope(schema))}
	for _, kind := range []string{
		"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "numeric(4,1)", "text", "varchar(3)", "date", "timestamptz", "timestamp", "uuid", "bytea", "json", "jsonb", "text[]", "int4[]",
	} {
		for i, arg := range arguments() {
			var written [3]string
			for d, drv := range drivers {
				rows, got := &entsql.Rows{}, sql.NullString{}
				err := drv.Query(t.Context(), "SELECT $1::"+kind+"::text", []any{arg}, rows)
				if err == nil {
					err = entsql.ScanOne(rows, &got)
					must(t, rows.Close())
				}
				if written[d] = fmt.Sprint(got); err != nil {
					written[d] = "refused"
				}
			}
			if want := written[0]; want != "refused" && !odd(arg, kind) && (written[1] != want || written[2] != want) {
				t.Errorf("argument %d, %T %v as %s: %s, unnamed %s, want %s", i, arg, arg, kind, written[1], written[2], want)
			}
		}
	}
}

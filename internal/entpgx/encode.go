package entpgx

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// encode writes the arguments in the form that the statement's parameters take.
func encode(types *pgtype.Map, oids []uint32, args []any) (values [][]byte, formats []int16, err error) {
	if len(args) != len(oids) {
		return nil, nil, fmt.Errorf("entpgx: %d arguments for %d parameters", len(args), len(oids))
	}
	if len(args) == 0 {
		return nil, nil, nil
	}
	values, formats = make([][]byte, len(args)), make([]int16, len(args))
	for i, arg := range args {
		if values[i], formats[i], err = encodeOne(types, oids[i], arg); err != nil {
			return nil, nil, fmt.Errorf("entpgx: writing argument %d: %w", i+1, err)
		}
	}
	return values, formats, nil
}

func encodeOne(types *pgtype.Map, oid uint32, arg any) ([]byte, int16, error) {
	switch a := arg.(type) {
	case nil:
		return nil, pgtype.TextFormatCode, nil
	case string:
		return []byte(a), pgtype.TextFormatCode, nil
	case uuid.UUID:
		if oid == pgtype.UUIDOID {
			return a[:], pgtype.BinaryFormatCode, nil
		}
		return []byte(a.String()), pgtype.TextFormatCode, nil
	case int:
		return encodeInt(oid, int64(a))
	case int64:
		return encodeInt(oid, a)
	case time.Time:
		if oid == pgtype.TimestamptzOID && a.Year() > 0 && a.Year() < 10_000 {
			micros := a.UnixMicro() - epoch.UnixMicro()
			return binary.BigEndian.AppendUint64(nil, uint64(micros)), pgtype.BinaryFormatCode, nil
		}
	case bool:
		if oid == pgtype.BoolOID {
			if a {
				return []byte{1}, pgtype.BinaryFormatCode, nil
			}
			return []byte{0}, pgtype.BinaryFormatCode, nil
		}
	case float64:
		if oid == pgtype.Float8OID {
			return binary.BigEndian.AppendUint64(nil, math.Float64bits(a)), pgtype.BinaryFormatCode, nil
		}
		return strconv.AppendFloat(nil, a, 'g', -1, 64), pgtype.TextFormatCode, nil
	case []byte:
		if oid == pgtype.ByteaOID {
			return a, pgtype.BinaryFormatCode, nil // nil is NULL
		}
		return a, pgtype.TextFormatCode, nil
	case driver.Valuer:
		if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, pgtype.TextFormatCode, nil
		}
		value, err := a.Value()
		if err != nil {
			return nil, 0, err
		}
		return encodeOne(types, oid, value)
	default:
		return encodeKind(types, oid, a)
	}
	return encodeGeneral(types, oid, arg)
}

// encodeInt writes the integer in the width of its parameter; other types read it as text.
func encodeInt(oid uint32, n int64) ([]byte, int16, error) {
	switch {
	case oid == pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(nil, uint64(n)), pgtype.BinaryFormatCode, nil
	case oid == pgtype.Int4OID && n == int64(int32(n)):
		return binary.BigEndian.AppendUint32(nil, uint32(n)), pgtype.BinaryFormatCode, nil
	}
	return strconv.AppendInt(nil, n, 10), pgtype.TextFormatCode, nil
}

// encodeKind writes named types by what they are made of, and pointers by what they point at.
func encodeKind(types *pgtype.Map, oid uint32, arg any) ([]byte, int16, error) {
	v := reflect.ValueOf(arg)
	switch v.Kind() { //nolint:exhaustive // the rest goes the general way
	case reflect.Pointer:
		if v.IsNil() {
			return nil, pgtype.TextFormatCode, nil
		}
		return encodeOne(types, oid, v.Elem().Interface())
	case reflect.String:
		return []byte(v.String()), pgtype.TextFormatCode, nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int, reflect.Int64:
		return encodeInt(oid, v.Int())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return strconv.AppendUint(nil, v.Uint(), 10), pgtype.TextFormatCode, nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return encodeOne(types, oid, v.Bytes())
		}
	}
	return encodeGeneral(types, oid, arg)
}

func encodeGeneral(types *pgtype.Map, oid uint32, arg any) ([]byte, int16, error) {
	format := types.FormatCodeForOID(oid)
	value, err := types.Encode(oid, format, arg, []byte{})
	return value, format, err
}

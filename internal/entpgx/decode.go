package entpgx

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// decode reads one value into dest. What ent scans into most has a way of its own here, the rest
// goes the general way. The types are looked at again: where schools are of several revisions, a
// column may come in another form than is asked for.
func decode(types *pgtype.Map, f *pgconn.FieldDescription, src []byte, dest any) error {
	if src != nil && decodeFast(f, src, dest) {
		return nil
	}
	switch d := dest.(type) {
	case *entsql.NullScanner:
		if d.Valid = src != nil; !d.Valid {
			return nil
		}
		return decode(types, f, src, d.S)
	case *[]byte:
		if src == nil {
			*d = nil
			return nil
		}
	case *any:
		return decodeAny(types, f, src, d)
	case sql.Scanner:
		if src == nil {
			return d.Scan(nil)
		}
	}
	return decodeGeneral(types, f, src, dest)
}

// decodeFast reads what is there into what ent scans into most, and reports whether it did.
func decodeFast(f *pgconn.FieldDescription, src []byte, dest any) (ok bool) {
	switch d := dest.(type) {
	case *sql.NullString:
		if ok = f.Format == pgtype.TextFormatCode; ok {
			*d = sql.NullString{String: string(src), Valid: true}
		}
	case *[]byte:
		if ok = (f.Format == pgtype.TextFormatCode) != (f.DataTypeOID == pgtype.ByteaOID); ok {
			*d = append([]byte{}, src...)
		}
	case *uuid.UUID:
		if ok = f.DataTypeOID == pgtype.UUIDOID && len(src) == len(d); ok {
			copy(d[:], src)
		}
	case *sql.NullInt64:
		d.Int64, ok = integer(f, src)
		d.Valid = ok
	case *sql.NullBool:
		if ok = f.DataTypeOID == pgtype.BoolOID && f.Format == pgtype.BinaryFormatCode && len(src) == 1; ok {
			*d = sql.NullBool{Bool: src[0] != 0, Valid: true}
		}
	case *sql.NullFloat64:
		d.Float64, ok = number(f, src)
		d.Valid = ok
	case *sql.NullTime:
		d.Time, ok = instant(f, src)
		d.Valid = ok
	case *int64:
		if n, read := integer(f, src); read {
			*d, ok = n, true
		}
	}
	return ok
}

func integer(f *pgconn.FieldDescription, src []byte) (int64, bool) {
	switch {
	case f.Format != pgtype.BinaryFormatCode:
	case f.DataTypeOID == pgtype.Int8OID && len(src) == 8:
		return int64(binary.BigEndian.Uint64(src)), true
	case f.DataTypeOID == pgtype.Int4OID && len(src) == 4:
		return int64(int32(binary.BigEndian.Uint32(src))), true
	case f.DataTypeOID == pgtype.Int2OID && len(src) == 2:
		return int64(int16(binary.BigEndian.Uint16(src))), true
	}
	return 0, false
}

// number reads a numeric, as text, or a double.
func number(f *pgconn.FieldDescription, src []byte) (float64, bool) {
	switch {
	case f.DataTypeOID == pgtype.NumericOID && f.Format == pgtype.TextFormatCode:
		n, err := strconv.ParseFloat(string(src), 64)
		return n, err == nil
	case f.DataTypeOID == pgtype.Float8OID && f.Format == pgtype.BinaryFormatCode && len(src) == 8:
		return math.Float64frombits(binary.BigEndian.Uint64(src)), true
	}
	return 0, false
}

// epoch is where PostgreSQL's binary dates and times count from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// instant reads a timestamp with time zone, microseconds since epoch, or a date, days since then. The
// infinities are left to others.
func instant(f *pgconn.FieldDescription, src []byte) (time.Time, bool) {
	switch {
	case f.Format != pgtype.BinaryFormatCode:
	case f.DataTypeOID == pgtype.TimestamptzOID && len(src) == 8:
		micros := int64(binary.BigEndian.Uint64(src))
		if micros == math.MaxInt64 || micros == math.MinInt64 {
			return time.Time{}, false
		}
		return time.UnixMicro(epoch.UnixMicro() + micros).UTC(), true
	case f.DataTypeOID == pgtype.DateOID && len(src) == 4:
		days := int32(binary.BigEndian.Uint32(src))
		if days == math.MaxInt32 || days == math.MinInt32 {
			return time.Time{}, false
		}
		return epoch.AddDate(0, 0, int(days)), true
	}
	return time.Time{}, false
}

// decodeAny reads what database/sql would have handed out.
func decodeAny(types *pgtype.Map, f *pgconn.FieldDescription, src []byte, dest *any) error {
	if at, ok := instant(f, src); ok {
		*dest = at
		return nil
	}
	t, ok := types.TypeForOID(f.DataTypeOID)
	if !ok {
		*dest = nil
		if src != nil {
			*dest = string(src)
		}
		return nil
	}
	value, err := t.Codec.DecodeDatabaseSQLValue(types, f.DataTypeOID, f.Format, src)
	*dest = value
	return err
}

// decodeGeneral reads into anything: as database/sql would do it, and what that can't do, as pgx does.
func decodeGeneral(types *pgtype.Map, f *pgconn.FieldDescription, src []byte, dest any) error {
	var value any
	err := decodeAny(types, f, src, &value)
	if scanner, ok := dest.(sql.Scanner); ok {
		if err != nil {
			return err
		}
		return scanner.Scan(value)
	}
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("%T is no pointer", dest)
	}
	if err == nil && assign(to.Elem(), value) == nil {
		return nil
	}
	return types.Scan(f.DataTypeOID, f.Format, src, dest)
}

package lint

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/wasilibs/go-pgquery/parser"
	"google.golang.org/protobuf/encoding/protowire"
)

// statement is one statement as PostgreSQL parses it.
type statement struct {
	kind string // CreateStmt, AlterTableStmt, ...
	body body
	tree any // the same as body, with all of it
}

// body has what the rules ask of any kind of statement, under PostgreSQL's own names.
type body struct {
	Relation    relation
	Into        struct{ Rel relation }
	Cmds        []struct{ AlterTableCmd command }
	TableElts   []element
	RemoveType  string
	RenameType  string
	Objtype     string
	Kind        string
	Name        string
	SubName     string
	Concurrent  bool
	Unique      bool
	IsLocal     bool `json:"is_local"` // SET
	Options     []struct{ DefElem option }
	Params      []struct{ DefElem option }
	Objects     []struct{ List struct{ Items []text } }
	WhereClause json.RawMessage
}

type relation struct{ RelName string }

type text struct{ String struct{ Sval string } }

type option struct {
	DefName string
	Arg     struct {
		text
		Integer struct{ Ival int }
		Boolean struct{ Boolval bool }
	}
}

type command struct {
	Subtype string
	Name    string
	Def     element
}

type element struct {
	ColumnDef    *column
	Constraint   *constraint
	PartitionCmd struct{ Concurrent bool }
	FuncCall     json.RawMessage
}

type column struct {
	ColName     string
	TypeName    typeName
	RawDefault  json.RawMessage `json:"raw_default"` // of ALTER COLUMN TYPE: USING
	Constraints []struct{ Constraint constraint }
}

type constraint struct {
	ConType        string
	ConName        string
	IndexName      string
	SkipValidation bool            `json:"skip_validation"` // NOT VALID
	RawExpr        json.RawMessage `json:"raw_expr"`
}

type typeName struct {
	Names   []text
	Typmods []struct {
		Const struct{ Ival struct{ Ival int } } `json:"A_Const"`
	}
	ArrayBounds []any
}

// parse parses what stands up to a semicolon.
func parse(sql string) (parsed []statement, err error) {
	if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
		return nil, errors.New("not UTF-8 text")
	}
	if tooDeep(sql) {
		return nil, errors.New("an expression is nested too deeply, or too long, to be looked at")
	}
	answer, err := parser.ParseToJSON(sql)
	if err != nil {
		return nil, err
	}
	var tree struct {
		Stmts []struct{ Stmt map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(answer), &tree); err != nil {
		return nil, fmt.Errorf("reading the parser's answer: %w", err)
	}
	for _, one := range tree.Stmts {
		for kind, raw := range one.Stmt {
			s := statement{kind: kind}
			// A field may be of another type in a kind that no rule asks for it. The rest is read all the same.
			var other *json.UnmarshalTypeError
			if err := errors.Join(json.Unmarshal(raw, &s.tree), json.Unmarshal(raw, &s.body)); err != nil && !errors.As(err, &other) {
				return nil, fmt.Errorf("reading the parser's answer: %w", err)
			}
			parsed = append(parsed, s)
		}
	}
	return parsed, nil
}

// tooDeep reports whether a statement may be nested so deeply that it overflows the parser's stack, which
// ends in a panic or never. Each level takes a token at least, those before a comma are closed but for the
// branches of a UNION, and what is quoted is one token.
func tooDeep(sql string) bool {
	const most, mostBranches = 200, 100
	scanned, err := parser.ScanToProtobuf(sql)
	if err != nil {
		return false // the parser will say so
	}
	open, all, branches := []int{0}, 0, 0
	for _, token := range tokens(scanned) {
		last := len(open) - 1
		switch token {
		case '(', '[':
			open = append(open, 0)
		case ')', ']':
			if last > 0 {
				all -= open[last]
				open = open[:last]
			}
		case ',':
			all -= open[last]
			open[last] = 0
		case except, intersect, union:
			branches++
		default:
			open[last]++
			all++
		}
		if all+len(open) > most || branches > mostBranches {
			return true
		}
	}
	return false
}

// Kinds of tokens, by PostgreSQL's numbers.
const except, intersect, union = 409, 477, 720

// tokens returns the kinds of a ScanResult's tokens: its field 2 is a ScanToken, and that one's field 4 the
// kind, which is the character itself for a single one.
func tokens(scanned []byte) (kinds []int) {
	fields(scanned, func(field protowire.Number, _ uint64, token []byte) {
		if field == 2 {
			fields(token, func(field protowire.Number, kind uint64, _ []byte) {
				if field == 4 {
					kinds = append(kinds, int(kind))
				}
			})
		}
	})
	return kinds
}

func fields(message []byte, each func(field protowire.Number, number uint64, inner []byte)) {
	for len(message) > 0 {
		field, kind, tag := protowire.ConsumeTag(message)
		size := protowire.ConsumeFieldValue(field, kind, message[max(tag, 0):])
		if tag < 0 || size < 0 {
			return
		}
		value := message[tag : tag+size]
		switch kind {
		case protowire.VarintType:
			number, _ := protowire.ConsumeVarint(value)
			each(field, number, nil)
		case protowire.BytesType:
			inner, _ := protowire.ConsumeBytes(value)
			each(field, 0, inner)
		default:
		}
		message = message[tag+size:]
	}
}

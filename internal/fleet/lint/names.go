package lint

import (
	"regexp"
	"slices"
	"strings"
)

// walk calls visit for each field of a tree, those inside others too.
func walk(tree any, visit func(key string, value any)) {
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			visit(key, value)
			walk(value, visit)
		}
	case []any:
		for _, value := range node {
			walk(value, visit)
		}
	}
}

// words returns the parts of a dotted name, nil for what is none.
func words(value any) (path []string) {
	list, _ := value.([]any)
	for _, part := range list {
		node, _ := part.(map[string]any)
		inner, ok := node["String"].(map[string]any)
		if !ok {
			return nil
		}
		word, _ := inner["sval"].(string)
		path = append(path, word)
	}
	return path
}

// constant returns the text of a string constant, "" for anything else.
func constant(value any) string {
	for _, key := range []string{"A_Const", "sval"} {
		node, _ := value.(map[string]any)
		value = node[key]
	}
	node, _ := value.(map[string]any)
	word, _ := node["sval"].(string)
	return word
}

// yes reports whether a value is the constant true.
func yes(value any) bool {
	for _, key := range []string{"A_Const", "boolval", "boolval"} {
		node, _ := value.(map[string]any)
		value = node[key]
	}
	return value == true
}

// foreignNames returns the names in a statement that carry a schema which the file may not name.
func (l *linter) foreignNames(s statement) []string {
	var found []string
	name := func(path []string, own int) {
		if len(path) > own && !l.mayName(path[len(path)-own-1]) {
			found = append(found, strings.Join(path, "."))
		}
	}
	walk(s.tree, func(key string, value any) {
		switch key {
		case "schemaname":
			if schema, ok := value.(string); ok && s.kind != "CreateSchemaStmt" && !l.mayName(schema) {
				found = append(found, schema)
			}
		case "funcname", "names", "typeName", "objname", "defnames", "opname", "collname", "opclassname", "domainname", "name":
			name(words(value), 1)
		case "objects", "object":
			l.objects(s, value, name)
		case "ColumnRef":
			node, _ := value.(map[string]any)
			name(words(node["fields"]), 2)
		case "FuncCall", "TypeCast":
			name(quotedName(value), 1)
		case "defname", "options", "args":
			found = append(found, l.inBody(value)...)
		}
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// mayName reports whether the file's names may carry a schema.
func (l *linter) mayName(schema string) bool {
	return schema == "pg_catalog" || schema == "information_schema" || schema == "pg_temp" || schema != "" && schema == l.schema
}

// objects reads the names of DROP and COMMENT, which stand in lists. A trigger's, a rule's, a policy's, a
// constraint's and a column's come after their table's.
func (l *linter) objects(s statement, value any, name func([]string, int)) {
	kind := s.body.RemoveType + s.body.Objtype
	if kind == "OBJECT_SCHEMA" || kind == "OBJECT_ROLE" {
		return
	}
	own := 1
	switch kind {
	case "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT", "OBJECT_COLUMN":
		own = 2
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, one := range list {
		node, _ := one.(map[string]any)
		inner, _ := node["List"].(map[string]any)
		name(words(inner["items"]), own)
	}
}

// quotedName returns the name in nextval('schema.sequence') or 'schema.table'::regclass.
func quotedName(value any) []string {
	node, _ := value.(map[string]any)
	if cast, ok := node["typeName"].(map[string]any); ok {
		if path := words(cast["names"]); len(path) > 0 && strings.HasPrefix(path[len(path)-1], "reg") {
			return strings.Split(constant(node["arg"]), ".")
		}
		return nil
	}
	path := words(node["funcname"])
	if args, _ := node["args"].([]any); len(path) > 0 && len(args) > 0 && slices.Contains([]string{"nextval", "currval", "setval"}, path[len(path)-1]) {
		return strings.Split(constant(args[0]), ".")
	}
	return nil
}

var publicName = regexp.MustCompile(`(?i)\bpublic"?\s*\.`)

// inBody reports whether the body of a function or a DO names the public schema, where it may not.
func (l *linter) inBody(value any) (found []string) {
	list, _ := value.([]any)
	for _, one := range list {
		node, _ := one.(map[string]any)
		option, _ := node["DefElem"].(map[string]any)
		if option["defname"] == "as" && !l.mayName("public") {
			walk(option["arg"], func(key string, value any) {
				if body, ok := value.(string); ok && key == "sval" && publicName.MatchString(body) {
					found = append(found, "public in the body")
				}
			})
		}
	}
	return found
}

// config is a call of set_config.
type config struct {
	setting string // "" for one that only the run tells
	local   bool   // surely
}

// configs are the calls of set_config in a statement.
func configs(tree any) (found []config) {
	walk(tree, func(key string, value any) {
		if key != "FuncCall" {
			return
		}
		node, _ := value.(map[string]any)
		path := words(node["funcname"])
		args, _ := node["args"].([]any)
		if len(path) > 0 && path[len(path)-1] == "set_config" && len(args) == 3 {
			found = append(found, config{constant(args[0]), yes(args[2])})
		}
	})
	return found
}

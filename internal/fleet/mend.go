package fleet

import (
	"slices"
	"strings"
)

// Difference is one way in which a schema is not what it should be. What is not there is "".
type Difference struct {
	Kind     string `json:"kind"`
	Object   string `json:"object"`
	Is       string `json:"is"`
	ShouldBe string `json:"should_be"`
}

// order is the order in which things are made. They are dropped the other way round.
var order = []string{
	"role", "role attribute", "membership", "sequence", "function", "table", "foreign table", "column", "default", "not null", "identity",
	"constraint", "view", "materialized view", "index", "foreign key", "trigger", "row security", "owner", "grant", "dangerous grant",
}

// relations are the kinds with a name of their own in the schema; most other parts belong to one.
var relations = []string{"table", "foreign table", "view", "materialized view", "sequence"}

type step struct {
	order int
	sql   string
}

// mender finds what differs, and the statements that mend it.
type mender struct {
	is, should  map[part]object
	role        string
	differences []Difference
	steps       []step
}

// mend compares the objects of a school's schema with its reference's. Definitions in same are as good as
// the reference's own.
func mend(live, reference []object, same map[part]string, role string) ([]Difference, []string) {
	m := &mender{is: map[part]object{}, should: map[part]object{}, role: role}
	for _, o := range live {
		if o.should == nil {
			m.is[o.part()] = o
		}
	}
	for _, o := range reference {
		m.should[o.part()] = o
	}
	for _, o := range reference {
		is, found := m.is[o.part()]
		switch {
		case !found:
			m.missing(o)
		case is.definition != o.definition && is.definition != same[o.part()]:
			m.differ(o, is.definition, o.definition)
			m.change(is, o)
		}
	}
	for _, o := range live {
		if _, found := m.should[o.part()]; o.should != nil {
			m.right(o)
		} else if !found {
			m.strange(o)
		}
	}
	return m.differences, m.statements()
}

func (m *mender) differ(o object, is, should string) {
	name := strings.TrimPrefix(o.table+"."+o.name, ".")
	m.differences = append(m.differences, Difference{o.kind, strings.TrimSuffix(name, "."), is, should})
}

// statements returns the steps' SQL in an order that works, each once.
func (m *mender) statements() (all []string) {
	slices.SortStableFunc(m.steps, func(a, b step) int { return a.order - b.order })
	for _, s := range m.steps {
		if !slices.Contains(all, s.sql) {
			all = append(all, s.sql)
		}
	}
	return all
}

func (m *mender) make(o object, sql string) {
	m.steps = append(m.steps, step{1 + slices.Index(order, o.kind), sql})
}

func (m *mender) drop(o object) {
	m.steps = append(m.steps, step{-1 - slices.Index(order, o.kind), dropping(o)})
}

// missing makes a part that is not there. What goes with a missing table or column is no difference of its
// own, and columns, defaults and the like are written with it.
func (m *mender) missing(o object) {
	if withColumn(m.is, o) {
		return
	}
	if withTable(m.is, o) && has(m.should, o) {
		if o.kind != "column" {
			m.make(o, making(o))
		}
		return
	}
	m.differ(o, "", o.definition)
	switch o.kind {
	case "table":
		m.make(o, m.table(o))
	case "column":
		m.make(o, m.column(o))
	default:
		m.make(o, making(o))
	}
	if m.role == "" {
		return
	}
	to := object{kind: "grant"}
	if o.kind == "sequence" {
		m.make(to, "GRANT USAGE ON SEQUENCE "+o.table+" TO "+ident(m.role))
	} else if slices.Contains(relations, o.kind) {
		m.make(to, "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "+o.table+" TO "+ident(m.role))
	}
}

// strange drops a part that should not be there, unless it goes with its table or column.
func (m *mender) strange(o object) {
	if withTable(m.should, o) && has(m.is, o) {
		if o.kind == "foreign key" {
			m.drop(o) // else it would keep another strange table
		}
		return
	}
	if withColumn(m.should, o) {
		return
	}
	m.differ(o, o.definition, "")
	m.drop(o)
}

func (m *mender) change(is, should object) {
	column := "ALTER TABLE " + should.table + " ALTER COLUMN " + should.name
	switch should.kind {
	case "column":
		m.changeColumn(is, should)
	case "table":
		m.make(should, "ALTER TABLE "+should.table+" SET "+should.definition)
	case "sequence":
		m.make(should, "ALTER SEQUENCE "+should.table+" "+should.definition)
	case "identity":
		m.make(should, column+" SET GENERATED "+should.definition)
	case "default", "function":
		m.make(should, making(should))
	default:
		m.drop(is)
		m.make(should, making(should))
	}
}

func (m *mender) changeColumn(is, should object) {
	if strings.Contains(is.definition+should.definition, " GENERATED ") {
		m.drop(is)
		m.make(should, m.column(should))
		return
	}
	column := "ALTER TABLE " + should.table + " ALTER COLUMN " + should.name
	// A default may not fit the other type.
	if _, found := m.is[part{"default", should.table, should.name}]; found {
		m.drop(object{kind: "default", table: should.table, name: should.name})
		if o, found := m.should[part{"default", should.table, should.name}]; found {
			m.make(o, making(o))
		}
	}
	plain, _, _ := strings.Cut(should.definition, " COLLATE ")
	warning := "-- loses data where a value does not fit\n"
	if plain == "text" || plain == "character varying" {
		warning = ""
	}
	m.make(should, warning+column+" TYPE "+should.definition+" USING "+should.name+"::"+plain)
}

// right mends a right that is not what it should be.
func (m *mender) right(o object) {
	_, on, _ := strings.Cut(o.table, " ")
	if at := (object{table: on}); has(m.is, at) && !has(m.should, at) {
		return // it goes with what it is a right to
	}
	switch o.kind {
	case "role":
		m.make(o, "CREATE ROLE "+o.table+" NOLOGIN")
		m.make(o, "GRANT "+o.table+" TO CURRENT_USER")
	case "role attribute":
		m.make(o, "ALTER ROLE "+o.table+" NO"+o.name)
	case "membership":
		m.make(o, "REVOKE "+o.name+" FROM "+o.table)
	case "owner":
		m.make(o, "ALTER TABLE "+o.table+" OWNER TO CURRENT_USER")
	default:
		m.differences = append(m.differences, Difference{o.kind, o.table + " to " + o.name, o.definition, *o.should})
		m.grant(o)
		return
	}
	m.differ(o, o.definition, *o.should)
}

// grant takes away what is too much and gives what is missing. A right that may be passed on has a star.
func (m *mender) grant(o object) {
	is, should := strings.Split(o.definition, ", "), strings.Split(*o.should, ", ")
	without := func(a, b []string) (rest []string) {
		for _, right := range a {
			if right != "" && !slices.Contains(b, right) {
				rest = append(rest, strings.TrimSuffix(right, "*"))
			}
		}
		return rest
	}
	if extra := without(is, should); extra != nil {
		m.make(o, "REVOKE "+strings.Join(extra, ", ")+" ON "+o.table+" FROM "+o.name)
	}
	if missing := without(should, is); missing != nil {
		m.make(o, "GRANT "+strings.Join(missing, ", ")+" ON "+o.table+" TO "+o.name)
	}
}

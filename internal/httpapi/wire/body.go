package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// maxDepth is how deep a JSON body may be nested; ours need less than ten.
const maxDepth = 32

// checkJSON refuses what encoding/json lets pass, or mends, though no two readers agree on it: text that
// is not UTF-8, a key given twice, depth without end; and NUL characters, which PostgreSQL can't hold.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return fault.New(fault.MalformedRequest, "The body is not UTF-8 text.")
	}
	if !json.Valid(data) {
		return fault.New(fault.MalformedRequest, "The body is not one valid JSON value.")
	}
	c := jsonCheck{Decoder: json.NewDecoder(bytes.NewReader(data))}
	c.UseNumber()
	if err := c.value(&place{key: "body"}, 0); err != nil {
		return err
	}
	if len(c.fields) > 0 {
		return &fault.Error{Kind: fault.InvalidInput, Message: "Some of the input is not valid.", Fields: c.fields}
	}
	return nil
}

type jsonCheck struct {
	*json.Decoder
	fields []fault.Field
}

// value checks the next value, of input that is known to be valid JSON.
func (c *jsonCheck) value(at *place, depth int) error {
	if depth > maxDepth {
		return fault.New(fault.MalformedRequest, "The body is nested too deeply.")
	}
	token, err := c.Token()
	if err != nil {
		return fault.New(fault.MalformedRequest, "The body is not one valid JSON value.")
	}
	switch t := token.(type) {
	case string:
		c.text(t, at)
	case json.Delim:
		if t == '[' {
			err = c.array(at, depth)
		} else {
			err = c.object(at, depth)
		}
		if err == nil {
			_, err = c.Token() // the closing one
		}
	}
	return err
}

func (c *jsonCheck) array(at *place, depth int) error {
	for i := 0; c.More(); i++ {
		if err := c.value(&place{parent: at, index: i}, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *jsonCheck) object(at *place, depth int) error {
	seen := map[string]bool{}
	for c.More() {
		token, err := c.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		here := &place{parent: at, key: key}
		if seen[key] {
			return &fault.Error{
				Kind: fault.MalformedRequest, Message: "The body has a key twice.",
				Fields: []fault.Field{{Location: here.String(), Message: "is given more than once"}},
			}
		}
		seen[key] = true
		c.text(key, at)
		if err := c.value(here, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *jsonCheck) text(s string, at *place) {
	if strings.ContainsRune(s, 0) && len(c.fields) < maxFields {
		c.fields = append(c.fields, fault.Field{Location: at.String(), Message: notText})
	}
}

// place is where in a body a value is; it becomes text only if there is something to say about it.
type place struct {
	parent *place
	key    string
	index  int // if there is no key
}

func (p *place) String() string {
	switch {
	case p.parent == nil:
		return p.key
	case p.key == "":
		return p.parent.String() + "[" + strconv.Itoa(p.index) + "]"
	}
	return p.parent.String() + "." + p.key
}

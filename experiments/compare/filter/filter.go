// Package filter reads conditions such as
//
//	model.kind=dnn && (recall>0.7 || !name~best*)
//
// over named values. Operators are = != < <= > >= and ~, which matches text with
// the wildcards * and ?; && binds closer than ||, and ! takes what follows it.
// A value is a bare word, a number, a list in brackets or text in quotes.
package filter

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"flowbench/data/suggest"
)

// Error says what is wrong with a condition and where.
type Error struct {
	Text     string
	Position int // of the byte, from 1
	Problem  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("condition %q, character %d: %s", e.Text, e.Position, e.Problem)
}

// Filter is a condition that has been read. It is immutable.
type Filter struct {
	text string
	root node
}

// Values gives what a name stands for: a bool, a number, text or a list; false
// where there is nothing of that name here, as with a parameter of other models.
type Values func(name string) (any, bool)

// Match says whether the values meet the condition. A comparison of what is not
// there is not met, but != is. < and its like on what is no number is an *Error.
func (f *Filter) Match(values Values) (bool, error) { return f.root.match(values) }

// Names lists the names that the condition compares.
func (f *Filter) Names() []string {
	var names []string
	f.root.walk(func(c *comparison) { names = append(names, c.name) })
	return names
}

// Check makes sure that every name is known: an *Error points at one that is not.
func (f *Filter) Check(known func(name string) bool, candidates []string) error {
	var wrong error
	f.root.walk(func(c *comparison) {
		if wrong == nil && !known(c.name) {
			wrong = &Error{f.text, c.at + 1, fmt.Sprintf("there is no parameter or metric %s%s", c.name, suggest.DidYouMean(c.name, candidates))}
		}
	})
	return wrong
}

type node interface {
	match(Values) (bool, error)
	walk(func(*comparison))
}

type (
	both       struct{ a, b node }
	either     struct{ a, b node }
	not        struct{ a node }
	comparison struct {
		text           string
		at             int
		name, operator string
		value          string
	}
)

func (n both) match(v Values) (bool, error) {
	if ok, err := n.a.match(v); !ok || err != nil {
		return false, err
	}
	return n.b.match(v)
}

func (n either) match(v Values) (bool, error) {
	if ok, err := n.a.match(v); ok || err != nil {
		return ok, err
	}
	return n.b.match(v)
}

func (n not) match(v Values) (bool, error) {
	ok, err := n.a.match(v)
	return !ok && err == nil, err
}

func (n both) walk(see func(*comparison))        { n.a.walk(see); n.b.walk(see) }
func (n either) walk(see func(*comparison))      { n.a.walk(see); n.b.walk(see) }
func (n not) walk(see func(*comparison))         { n.a.walk(see) }
func (c *comparison) walk(see func(*comparison)) { see(c) }

func (c *comparison) match(values Values) (bool, error) {
	v, ok := values(c.name)
	if !ok {
		return c.operator == "!=", nil
	}
	shown := Show(v)
	a, errA := strconv.ParseFloat(shown, 64)
	b, errB := strconv.ParseFloat(c.value, 64)
	numbers := errA == nil && errB == nil
	switch c.operator {
	case "=", "!=":
		equal := shown == c.value || numbers && a == b
		return equal == (c.operator == "="), nil
	case "~":
		matched, _ := path.Match(strings.ReplaceAll(c.value, "[", `\[`), strings.ReplaceAll(shown, "/", "\x00"))
		return matched, nil
	}
	if !numbers {
		return false, &Error{c.text, c.at + 1, fmt.Sprintf("%s compares numbers, and %s is %s here, compared with %s: write =, != or ~", c.operator, c.name, shown, c.value)}
	}
	switch c.operator {
	case "<":
		return a < b, nil
	case "<=":
		return a <= b, nil
	case ">":
		return a > b, nil
	}
	return a >= b, nil
}

// Show is a value as a condition writes it: text as it is, all else as JSON.
func Show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

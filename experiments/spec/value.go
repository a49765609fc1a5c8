package spec

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// kind is what a value is before it is known what it is for.
type kind uint8

const (
	null    kind = iota // nothing was written
	boolean             // true or false
	whole               // digits
	number              // any other number
	text
	list
	mapping
)

// value is one YAML value and where it was written. Values are never changed
// once made: with returns a changed copy.
type value struct {
	kind    kind
	text    string  // a scalar: its text, unquoted
	items   []value // list
	entries []entry // mapping, in written order, each key once
	at      place
}

type entry struct {
	key   string
	keyAt place
	value value
}

// describe reads well after "not".
func (v value) describe() string {
	switch v.kind {
	case null:
		return "nothing"
	case boolean:
		return v.text
	case whole, number:
		return "the number " + v.text
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	}
	if len(v.text) > 60 {
		return fmt.Sprintf("the text %.60q...", v.text)
	}
	return fmt.Sprintf("the text %q", v.text)
}

// find is the entry of a key.
func (v value) find(key string) (entry, bool) {
	for _, e := range v.entries {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// lookup is the value at a dotted path such as model.hidden, and whether it was written.
func (v value) lookup(path string) (value, bool) {
	key, rest, more := strings.Cut(path, ".")
	e, ok := v.find(key)
	if !ok || !more {
		return e.value, ok
	}
	return e.value.lookup(rest)
}

// with is v with the value at a dotted path replaced or added; at is the place
// of keys that are new.
func (v value) with(path string, replacement value, at place) value {
	key, rest, more := strings.Cut(path, ".")
	e, ok := v.find(key)
	if !ok {
		e = entry{key: key, keyAt: at, value: value{kind: mapping, at: at}}
	}
	if more && e.value.kind != mapping {
		return v // what stands there is refused when it is read
	}
	if more {
		replacement = e.value.with(rest, replacement, at)
	}
	e.value = replacement
	changed := value{kind: mapping, at: v.at}
	for _, old := range v.entries {
		if old.key == key {
			old = e
		}
		changed.entries = append(changed.entries, old)
	}
	if !ok {
		changed.entries = append(changed.entries, e)
	}
	return changed
}

const (
	// maxBytes and maxDepth bound what the parser, whose time grows with the
	// square of the depth, is given: 10,000 open brackets take it a second.
	maxBytes = 64 << 10
	maxDepth = 32
)

// parse reads the source's YAML, which begins column-1 characters into its first line.
func (s *source) parse(yamlText string, column int) (value, *Error) {
	reader := treeReader{source: s, shift: column - 1}
	if err := reader.refuse(yamlText); err != nil {
		return value{}, err
	}
	tokens := lexer.Tokenize(yamlText)
	if err := reader.refuseDepth(tokens); err != nil {
		return value{}, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return value{}, reader.syntaxError(err)
	}
	return reader.document(file)
}

// treeReader turns goccy's syntax tree into values.
type treeReader struct {
	source *source
	shift  int // columns before the first line of the YAML
}

func (r treeReader) place(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{r.source, 1, 1 + r.shift}
	}
	p := place{r.source, max(t.Position.Line, 1), max(t.Position.Column, 1)}
	if p.line == 1 {
		p.column += r.shift
	}
	return p
}

// refuse names what is no text that a spec could be. It shows no snippet of it.
func (r treeReader) refuse(yamlText string) *Error {
	problem := ""
	switch {
	case len(yamlText) > maxBytes:
		problem = fmt.Sprintf("is %d bytes long, a spec has at most %d: is this a spec?", len(yamlText), maxBytes)
	case strings.HasPrefix(yamlText, "\xff\xfe"), strings.HasPrefix(yamlText, "\xfe\xff"):
		problem = "is UTF-16 text: save it as UTF-8"
	case !utf8.ValidString(yamlText), strings.ContainsRune(yamlText, 0):
		problem = "is not UTF-8 text: is this a spec?"
	default:
		return nil
	}
	return &Error{File: r.source.name, Line: 1, Column: 1, Problem: problem}
}

// refuseDepth refuses nesting that no spec needs.
func (r treeReader) refuseDepth(tokens token.Tokens) *Error {
	depth, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			dashes++
		}
		if depth+dashes > maxDepth {
			return r.place(t).errorf("", "is nested more than %d deep", maxDepth)
		}
	}
	return nil
}

func (r treeReader) syntaxError(err error) *Error {
	var positioned yaml.Error
	if errors.As(err, &positioned) {
		return r.place(positioned.GetToken()).errorf("", "%s", positioned.GetMessage())
	}
	return place{r.source, 1, 1}.errorf("", "%v", err)
}

func (r treeReader) document(file *ast.File) (value, *Error) {
	empty := value{at: place{r.source, 1, 1 + r.shift}}
	found := false
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v, err := r.value(doc.Body)
		if err != nil {
			return empty, err
		}
		if found {
			return empty, v.at.errorf("", "a second document begins here: a file holds one spec")
		}
		found = true
		empty = v
	}
	return empty, nil
}

func (r treeReader) value(n ast.Node) (value, *Error) {
	at := r.place(n.GetToken())
	switch n := n.(type) {
	case *ast.NullNode:
		return value{at: at}, nil
	case *ast.MappingNode:
		return r.mapping(n.Values, at)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n}, at)
	case *ast.SequenceNode:
		return r.list(n, at)
	case *ast.LiteralNode:
		return value{kind: text, text: n.Value.Value, at: at}, nil
	case *ast.StringNode:
		if t := n.GetToken().Type; t == token.SingleQuoteType || t == token.DoubleQuoteType {
			return value{kind: text, text: n.Value, at: at}, nil
		}
		return plainScalar(n.Value, at), nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return plainScalar(n.GetToken().Value, at), nil
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return value{}, at.errorf("", "anchors, aliases and tags are not read in a spec: write the value out")
	}
	return value{}, at.errorf("", "a spec has no place for this (%s)", strings.ToLower(n.Type().String()))
}

func (r treeReader) list(n *ast.SequenceNode, at place) (value, *Error) {
	v := value{kind: list, at: at}
	for _, item := range n.Values {
		element, err := r.value(item)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, element)
	}
	return v, nil
}

func (r treeReader) mapping(nodes []*ast.MappingValueNode, at place) (value, *Error) {
	v := value{kind: mapping, at: at}
	for _, node := range nodes {
		keyAt := r.place(node.Key.GetToken())
		switch node.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		default:
			return v, keyAt.errorf("", "a key is one word or one quoted text")
		}
		key := node.Key.GetToken().Value
		if _, twice := v.find(key); twice {
			return v, keyAt.errorf("", "key %q is written twice", key)
		}
		element, err := r.value(node.Value)
		if err != nil {
			return v, err
		}
		if element.kind == mapping {
			element.at = keyAt // what is missing from a section is missing under its name
		}
		v.entries = append(v.entries, entry{key, keyAt, element})
	}
	if len(v.entries) > 0 {
		v.at = v.entries[0].keyAt
	}
	return v, nil
}

// The scalars of YAML 1.2's core schema, in decimal. The parser's own reading is
// not used: it takes 1e-3 for a text and 010 for eight.
var (
	wholeForm  = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	numberForm = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	otherForm  = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

func plainScalar(s string, at place) value {
	v := value{kind: text, text: s, at: at}
	switch {
	case s == "" || s == "~" || s == "null":
		v.kind = null
	case s == "true" || s == "false":
		v.kind = boolean
	case wholeForm.MatchString(s):
		v.kind = whole
	case numberForm.MatchString(s), otherForm.MatchString(s):
		v.kind = number
	}
	return v
}

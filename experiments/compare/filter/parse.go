package filter

import (
	"fmt"
	"strings"
)

// Parse reads a condition. Its error is an *Error.
func Parse(text string) (*Filter, error) {
	p := &parser{text: text}
	root, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.blanks(); p.at < len(text) {
		return nil, p.wrong("here a condition should end, or go on with && or ||, not with %q", text[p.at:])
	}
	return &Filter{text, root}, nil
}

// parser is a recursive descent: either = both {|| both}, both = one {&& one},
// one = ! one | ( either ) | name operator value.
type parser struct {
	text  string
	at    int
	depth int
}

// maxDepth keeps a condition of ten thousand brackets from ending the program.
const maxDepth = 200

func (p *parser) wrong(format string, args ...any) error {
	return &Error{p.text, p.at + 1, fmt.Sprintf(format, args...)}
}

func (p *parser) blanks() {
	for p.at < len(p.text) && strings.ContainsRune(" \t\n", rune(p.text[p.at])) {
		p.at++
	}
}

// take moves past word where it comes next.
func (p *parser) take(word string) bool {
	p.blanks()
	if !strings.HasPrefix(p.text[p.at:], word) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) either() (node, error) {
	a, err := p.both()
	for err == nil && p.take("||") {
		var b node
		if b, err = p.both(); err == nil {
			a = either{a, b}
		}
	}
	return a, err
}

func (p *parser) both() (node, error) {
	a, err := p.one()
	for err == nil && p.take("&&") {
		var b node
		if b, err = p.one(); err == nil {
			a = both{a, b}
		}
	}
	return a, err
}

func (p *parser) one() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.wrong("more than %d conditions within each other", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("!"):
		a, err := p.one()
		return not{a}, err
	case p.take("("):
		a, err := p.either()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.wrong("a closing bracket is missing")
		}
		return a, nil
	}
	return p.comparison()
}

func (p *parser) comparison() (node, error) {
	p.blanks()
	c := &comparison{text: p.text, at: p.at}
	for p.at < len(p.text) && !strings.ContainsRune(" \t\n=!<>~&|()", rune(p.text[p.at])) {
		p.at++
	}
	if c.name = p.text[c.at:p.at]; c.name == "" {
		return nil, p.wrong("here should be the name of a parameter or metric, such as model.kind or recall")
	}
	for _, operator := range []string{"!=", "<=", ">=", "==", "=", "<", ">", "~"} {
		if p.take(operator) {
			c.operator = operator
			break
		}
	}
	switch c.operator {
	case "":
		return nil, p.wrong("after %s should be one of = != < <= > >= ~", c.name)
	case "==":
		c.operator = "="
	}
	var err error
	c.value, err = p.value()
	return c, err
}

// value reads quoted text, a list in brackets, or a word up to what cannot be in one.
func (p *parser) value() (string, error) {
	p.blanks()
	rest := p.text[p.at:]
	if rest == "" {
		return "", p.wrong("a value is missing")
	}
	if quote := rest[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(rest[1:], quote)
		if end < 0 {
			return "", p.wrong("the quote is not closed")
		}
		p.at += end + 2
		return rest[1 : end+1], nil
	}
	open := 0
	end := strings.IndexFunc(rest, func(r rune) bool {
		switch r {
		case '[', '{':
			open++
		case ']', '}':
			open--
		case ' ', '\t', '\n', '&', '|', '(', ')', '=', '<', '>', '!':
			return open <= 0
		}
		return false
	})
	if open > 0 {
		return "", p.wrong("the bracket of a list is not closed")
	}
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return "", p.wrong("here should be a value, not %q", rest[:1])
	}
	p.at += end
	if rest[0] == '[' || rest[0] == '{' {
		return strings.ReplaceAll(rest[:end], " ", ""), nil
	}
	return rest[:end], nil
}

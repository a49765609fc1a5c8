package flowcsv

import (
	"bytes"
	"fmt"
	"math"

	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// action is what a row parser does with a field.
type action uint8

const (
	skip      action = iota
	value            // a feature or extra column that is kept
	repeat           // equal to the value of column
	label            // the label
	category         // -1, or why an attack had no effect
	source           // address
	target           // address
	port             // of the source
	transport        // protocol number that is not kept as a value
)

// step is the action for one field.
type step struct {
	action action
	column int // of the row, for value and repeat
	run    int // steps from here on that fill columns one after the other, for value
	name   string
}

// parser reads the rows of one file. It is made for one header and keeps what
// the last row was.
type parser struct {
	steps  []step
	labels *schema.Labels
	policy schema.Attempted
	known  map[string]int // label numbers by the bytes seen so far
	last   []byte         // the bytes of label, as most rows have the label of the row before

	label     int
	attempted bool
	missing   []ledger.Cell
	tuple     tuple
	tupled    bool  // the file has all that makes a connection
	lenient   bool  // labels may be missing or not listed
	none      int   // the label of rows without one, where lenient
	absent    []int // columns of a row that the file lacks
}

// maxKnown bounds parser.known; a real file spells each label in one way.
const maxKnown = 1024

func newParser(layout *schema.Layout, labels *schema.Labels, opt Options) *parser {
	p := &parser{steps: make([]step, len(layout.Fields)), labels: labels, policy: opt.Attempted, known: make(map[string]int)}
	p.tupled = layout.HasConnections() && !opt.Ungrouped
	for i, f := range layout.Fields {
		p.steps[i] = p.plan(f, opt)
	}
	if len(opt.Need) > 0 {
		p.allowAbsence()
	}
	for i := len(p.steps) - 1; i >= 0; i-- {
		s := &p.steps[i]
		s.run = 1
		if i+1 < len(p.steps) && p.steps[i+1].action == value && p.steps[i+1].column == s.column+1 {
			s.run += p.steps[i+1].run
		}
	}
	return p
}

// allowAbsence makes the parser one of a file that lacks features or the label.
func (p *parser) allowAbsence() {
	p.lenient, p.none = true, len(p.labels.Names())-1 // Unlabelled, the last extra one
	p.label = p.none
	there := make([]bool, schema.Cols)
	for _, s := range p.steps {
		if s.action == value {
			there[s.column] = true
		}
	}
	for column, is := range there {
		if !is {
			p.absent = append(p.absent, column)
		}
	}
}

func (p *parser) plan(f schema.Field, opt Options) step {
	s := step{name: f.Name, column: f.Index}
	switch f.Role {
	case schema.RoleFeature:
		s.action = value
	case schema.RoleRepeat:
		s.action = repeat
	case schema.RoleLabel:
		s.action = label
	case schema.RoleCategory:
		s.action = category
	case schema.RoleExtra:
		s.column = schema.Cols + f.Index
		if opt.Extras {
			s.action = value
		} else if f.Name == schema.Protocol && p.tupled {
			s.action = transport
		}
	}
	if p.tupled {
		switch f.Role {
		case schema.RoleSourceAddress:
			s.action = source
		case schema.RoleDestinationAddress:
			s.action = target
		case schema.RoleSourcePort:
			s.action = port
		}
	}
	return s
}

// row reads a line, the first size bytes of text, into dst, one value a column,
// and the fields of p. For the text behind it see decimals. The error has no
// file and line yet; after it dst holds part of the row.
func (p *parser) row(text []byte, size int, dst []float32) *Error {
	p.missing = p.missing[:0]
	p.attempted = false
	for _, column := range p.absent {
		dst[column] = float32(math.NaN())
	}
	line := text[:size]
	at := 0
	for i := 0; i < len(p.steps); i++ {
		if at > size {
			return p.ragged(line)
		}
		n, next := p.fast(i, text, size, at, dst)
		at = next
		if i += n; i == len(p.steps) {
			break
		}
		cell, next, ok := field(line, at)
		if !ok {
			return p.fault(i, ReasonQuote, "a quote is not closed, or text follows it: "+quote(cell))
		}
		if indexNUL(cell) >= 0 { // which no decimal holds, so that it is looked for here only
			return p.fault(i, ReasonNUL, "a byte is NUL")
		}
		if err := p.cell(i, cell, dst); err != nil {
			if n, _ := split(line); len(n) != len(p.steps) {
				return p.ragged(line) // the likelier cause
			}
			return err
		}
		at = next
	}
	if at <= size {
		return p.ragged(line)
	}
	if p.tupled {
		p.complete(dst)
	}
	return nil
}

// fast does what it can of the steps from i on, and returns how many those are
// and where the next field starts. It never reaches the end of the line: that
// takes a step of the slow way.
func (p *parser) fast(i int, text []byte, size, at int, dst []float32) (n, next int) {
	for first := i; ; {
		s := &p.steps[i]
		switch s.action {
		case value:
			n, next := decimals(text, size, at, dst[s.column:s.column+s.run])
			i, at = i+n, next
			if n < s.run {
				return i - first, at
			}
		case repeat:
			var again [1]float32
			n, next := decimals(text, size, at, again[:])
			if n == 0 || math.Float32bits(again[0]) != math.Float32bits(dst[s.column]) {
				return i - first, at
			}
			i, at = i+1, next
		default:
			return i - first, at
		}
		if i == len(p.steps) {
			return i - first, at
		}
	}
}

// complete takes what the tuple needs from the values of the row.
func (p *parser) complete(dst []float32) {
	p.tuple.targetPort = dst[0]
	if len(dst) > schema.Cols {
		p.tuple.protocol = dst[schema.Cols]
	}
}

// cell does what step i says with a field that is no short decimal.
func (p *parser) cell(i int, cell []byte, dst []float32) *Error {
	s := &p.steps[i]
	switch s.action {
	case value:
		return p.number(i, cell, &dst[s.column])
	case repeat:
		var again float32
		if err := p.numberOnly(i, cell, &again); err != nil {
			return err
		}
		if first := dst[s.column]; math.Float32bits(first) != math.Float32bits(again) {
			return p.fault(i, ReasonRepeat, fmt.Sprintf("the second Fwd Header Length is %s and the first %v", quote(cell), first))
		}
	case label:
		return p.readLabel(i, cell)
	case category:
		return p.readCategory(i, cell)
	case source:
		p.tuple.source = bytes.TrimSpace(cell)
	case target:
		p.tuple.target = bytes.TrimSpace(cell)
	case port:
		return p.numberOnly(i, cell, &p.tuple.sourcePort)
	case transport:
		return p.numberOnly(i, cell, &p.tuple.protocol)
	}
	return nil
}

// number reads a value and notes it where it is missing.
func (p *parser) number(i int, cell []byte, dst *float32) *Error {
	v, kind := number(cell)
	if missing, ok := kind.missing(); ok {
		p.missing = append(p.missing, ledger.Cell{Column: p.steps[i].column, Kind: missing})
	}
	*dst = v
	return p.checkKind(i, cell, kind)
}

// numberOnly reads a value that is no column of the row.
func (p *parser) numberOnly(i int, cell []byte, dst *float32) *Error {
	v, kind := number(cell)
	*dst = v
	return p.checkKind(i, cell, kind)
}

func (p *parser) checkKind(i int, cell []byte, kind numberKind) *Error {
	switch kind {
	case isText:
		return p.fault(i, ReasonNumber, quote(cell)+" is not a number")
	case isOutOfRange:
		return p.fault(i, ReasonRange, quote(cell)+" is beyond float32")
	}
	return nil
}

func (p *parser) readLabel(i int, cell []byte) *Error {
	if len(p.last) > 0 && bytes.Equal(cell, p.last) {
		p.attempted = p.attempted || p.labels.IsAttempted(p.label)
		return nil
	}
	n, ok := p.known[string(cell)]
	if !ok {
		var err error
		if n, err = p.labels.Parse(cell); err != nil && p.lenient {
			n, err = p.none, nil
		}
		if err != nil {
			e := p.fault(i, ReasonLabel, err.Error())
			e.Remedy = "correct it, list it as an extra label, or have bad rows dropped"
			return e
		}
		if len(p.known) < maxKnown {
			p.known[string(cell)] = n
		}
	}
	p.label, p.last = n, append(p.last[:0], cell...)
	p.attempted = p.attempted || p.labels.IsAttempted(n)
	return nil
}

func (p *parser) readCategory(i int, cell []byte) *Error {
	v, kind := number(cell)
	p.attempted = p.attempted || kind == isNumber && v != -1
	return p.checkKind(i, cell, kind)
}

// finalLabel is the label of the row under the policy for attempted attacks.
func (p *parser) finalLabel() int {
	n := p.label
	if p.attempted {
		n = p.labels.Attempt(n)
	}
	return p.labels.Apply(p.policy, n)
}

// labelOf is the label of a bad row, or -1 where it cannot be told.
func (p *parser) labelOf(line []byte) int {
	cells, ok := split(line)
	if !ok || len(cells) != len(p.steps) {
		return -1
	}
	p.attempted = false
	found := false
	for i, s := range p.steps {
		switch s.action {
		case label:
			found = p.readLabel(i, cells[i]) == nil
		case category:
			if p.readCategory(i, cells[i]) != nil {
				return -1
			}
		}
	}
	if !found {
		return -1
	}
	return p.finalLabel()
}

func (p *parser) ragged(line []byte) *Error {
	cells, _ := split(line)
	return &Error{Reason: ReasonFields, Problem: fmt.Sprintf("%d fields where the header has %d", len(cells), len(p.steps)),
		Remedy: "correct the line, or have bad rows dropped"}
}

func (p *parser) fault(i int, reason, problem string) *Error {
	return &Error{Field: i + 1, Column: p.steps[i].name, Reason: reason, Problem: problem,
		Remedy: "correct the line, or have bad rows dropped"}
}

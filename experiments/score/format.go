package score

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"flowbench/data/flowcsv"
	"flowbench/train"
)

// names are what numbers in a batch stand for.
type names struct{ columns, labels []string }

// cells are names as one format writes them, made once: looking for what has to
// be quoted in every row takes longer than writing it.
type cells struct {
	names
	labels [][]byte // "" for rows without a label
	file   []byte   // of fileName
	of     string
}

// format is how a kind of text is made.
type format struct {
	row  func(text []byte, b *batch, i int, c *cells) []byte
	cell func(text []byte, cell string) []byte
}

// newCells writes the labels.
func (f format) newCells(n names) *cells {
	c := &cells{names: n}
	for _, label := range n.labels {
		if label == flowcsv.Unlabelled {
			label = ""
		}
		c.labels = append(c.labels, f.cell(nil, label))
	}
	return c
}

// append writes all rows of a batch.
func (f format) append(text []byte, b *batch, c *cells) []byte {
	if c.file == nil || c.of != b.rows.File {
		c.file, c.of = f.cell(nil, b.rows.File), b.rows.File
	}
	for i := range b.scores {
		text = f.row(text, b, i, c)
	}
	return text
}

// Writer takes batches in order.
type Writer interface {
	format() *format // of the text of a batch; nil where write needs none
	write(b *batch) error
	// Close ends the output, and not what is below it.
	Close() error
}

// Formats are what NewWriter knows, the default first.
func Formats() []string { return []string{"csv", "jsonl", "parquet"} }

// NewWriter writes the verdicts of a model on the rows of in to out, in one of
// Formats. With flush every batch is passed on at once.
func NewWriter(kind string, out io.Writer, in Input, model *train.ModelFile, flush bool) (Writer, error) {
	switch kind {
	case "csv":
		w := &textWriter{out: bufio.NewWriterSize(out, writeBuffer), flush: flush, text: &format{appendCSV, appendField}}
		_, err := w.out.WriteString(csvHeader + "\n")
		return w, err
	case "jsonl":
		return &textWriter{out: bufio.NewWriterSize(out, writeBuffer), flush: flush, text: &format{appendJSON, appendText}}, nil
	case "parquet":
		return newParquet(out, names{model.Scaler.Columns, in.labels()}), nil
	}
	return nil, fmt.Errorf("format %q is none of %s", kind, strings.Join(Formats(), ", "))
}

// writeBuffer is about what a batch of prepared rows comes to.
const writeBuffer = 256 << 10

const csvHeader = "row,file,line,label,score,verdict,feature_1,part_1,feature_2,part_2,feature_3,part_3"

// Verdicts.
const (
	alertWord  = "alert"
	normalWord = "normal"
)

// textWriter passes on what workers have formatted.
type textWriter struct {
	out   *bufio.Writer
	flush bool
	text  *format
}

func (w *textWriter) format() *format { return w.text }

func (w *textWriter) write(b *batch) error {
	if _, err := w.out.Write(b.text); err != nil {
		return err
	}
	if w.flush {
		return w.out.Flush()
	}
	return nil
}

// Close flushes.
func (w *textWriter) Close() error { return w.out.Flush() }

func verdict(alert bool) string {
	if alert {
		return alertWord
	}
	return normalWord
}

// label is the name of a row's label, "" where it has none.
func (n names) label(b *batch, i int) string {
	if name := n.labels[b.rows.Labels[i]]; name != flowcsv.Unlabelled {
		return name
	}
	return ""
}

// appendCSV writes a line under csvHeader. Scores and parts are the shortest text
// that reads back as the same number.
func appendCSV(text []byte, b *batch, i int, c *cells) []byte {
	text = strconv.AppendInt(text, b.rows.First+int64(i), 10)
	text = append(text, ',')
	text = append(text, c.file...)
	text = append(text, ',')
	if b.rows.Lines != nil {
		text = strconv.AppendInt(text, b.rows.Lines[i], 10)
	}
	text = append(text, ',')
	text = append(text, c.labels[b.rows.Labels[i]]...)
	text = append(text, ',')
	text = strconv.AppendFloat(text, b.scores[i], 'g', -1, 64)
	text = append(text, ',')
	text = append(text, verdict(b.alerts[i])...)
	for _, p := range b.top[i] {
		text = append(text, ',')
		if b.told[i] && p.column >= 0 {
			text = append(text, c.columns[p.column]...) // normalised: no comma, no quote
			text = append(text, ',')
			text = strconv.AppendFloat(text, float64(p.value), 'g', -1, 32)
			continue
		}
		text = append(text, ',')
	}
	return append(text, '\n')
}

// appendField writes a cell, in quotes where it needs them.
func appendField(text []byte, cell string) []byte {
	if !strings.ContainsAny(cell, "\",\r\n") && (cell == "" || cell[0] != ' ') {
		return append(text, cell...)
	}
	var quoted strings.Builder
	w := csv.NewWriter(&quoted)
	w.Write([]string{cell}) // a strings.Builder does not fail
	w.Flush()
	return append(text, strings.TrimSuffix(quoted.String(), "\n")...)
}

// appendJSON writes one object a line.
func appendJSON(text []byte, b *batch, i int, c *cells) []byte {
	text = append(text, `{"row":`...)
	text = strconv.AppendInt(text, b.rows.First+int64(i), 10)
	text = append(text, `,"file":`...)
	text = append(text, c.file...)
	if b.rows.Lines != nil {
		text = append(text, `,"line":`...)
		text = strconv.AppendInt(text, b.rows.Lines[i], 10)
	}
	if label := c.labels[b.rows.Labels[i]]; len(label) > len(`""`) {
		text = append(text, `,"label":`...)
		text = append(text, label...)
	}
	text = append(text, `,"score":`...)
	text = strconv.AppendFloat(text, b.scores[i], 'g', -1, 64)
	text = append(text, `,"verdict":"`...)
	text = append(text, verdict(b.alerts[i])...)
	text = append(text, '"')
	if b.told[i] {
		text = append(text, `,"features":[`...)
		for k, p := range b.top[i] {
			if p.column < 0 {
				break
			}
			if k > 0 {
				text = append(text, ',')
			}
			text = append(text, `{"feature":`...)
			text = appendText(text, c.columns[p.column])
			text = append(text, `,"part":`...)
			text = strconv.AppendFloat(text, math.Max(-math.MaxFloat32, math.Min(math.MaxFloat32, float64(p.value))), 'g', -1, 32)
			text = append(text, '}')
		}
		text = append(text, ']')
	}
	return append(text, "}\n"...)
}

func appendText(text []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic("score: " + err.Error())
			}
			return append(text, quoted...)
		}
	}
	text = append(text, '"')
	text = append(text, s...)
	return append(text, '"')
}

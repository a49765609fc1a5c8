package compare

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// WriteParquet writes the rows of WriteCSV, a column a parameter and a metric:
// seed as unsigned INT64, metrics and parameters that are numbers wherever they are
// set as DOUBLE, other parameters as text; parameters and metrics are null where
// there is no value. Columns are in the order of their names. A parameter with the
// name of another column is called param:NAME.
func WriteParquet(w io.Writer, configurations []Configuration) error {
	columns := parquetColumns(configurations)
	group, at := parquet.Group{}, map[string]parquetColumn{}
	for _, c := range columns {
		group[c.name], at[c.name] = c.node, c
	}
	schema := parquet.NewSchema("replicate", group)
	// A group keeps its columns in the order of their names.
	ordered := make([]parquetColumn, 0, len(columns))
	for _, field := range schema.Fields() {
		ordered = append(ordered, at[field.Name()])
	}
	out := parquet.NewWriter(w, schema, parquet.Compression(&parquet.Snappy))
	for _, c := range configurations {
		for i := range c.Seeds {
			row := make(parquet.Row, len(ordered))
			for k, column := range ordered {
				row[k] = column.value(c, i).Level(0, column.defined(c, i), k)
			}
			if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
				return fmt.Errorf("compare: parquet: %w", err)
			}
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("compare: parquet: %w", err)
	}
	return nil
}

// parquetColumn is one column: value is null where replicate i has none.
type parquetColumn struct {
	name  string
	node  parquet.Node
	value func(c Configuration, i int) parquet.Value
}

// defined is the definition level: 1 for a value of an optional column.
func (p parquetColumn) defined(c Configuration, i int) int {
	if p.node.Optional() && !p.value(c, i).IsNull() {
		return 1
	}
	return 0
}

func parquetColumns(configurations []Configuration) []parquetColumn {
	text := func(name string, of func(c Configuration, i int) string) parquetColumn {
		return parquetColumn{name, parquet.Encoded(parquet.String(), &parquet.RLEDictionary),
			func(c Configuration, i int) parquet.Value { return parquet.ByteArrayValue([]byte(of(c, i))) }}
	}
	columns := []parquetColumn{
		text("study", func(c Configuration, _ int) string { return c.Study }),
		text("configuration", func(c Configuration, _ int) string { return c.Name }),
		text("model", func(c Configuration, _ int) string { return c.Model }),
		{"baseline", parquet.Leaf(parquet.BooleanType), func(c Configuration, _ int) parquet.Value { return parquet.BooleanValue(c.Baseline) }},
		{"seed", parquet.Uint(64), func(c Configuration, i int) parquet.Value { return parquet.Int64Value(int64(c.Seeds[i])) }},
		text("state", func(c Configuration, i int) string { return c.States[i] }),
	}
	params, metrics := columnNames(configurations)
	taken := map[string]bool{}
	for _, c := range columns {
		taken[c.name] = true
	}
	for _, name := range metrics {
		taken[name] = true
		columns = append(columns, parquetColumn{name, parquet.Optional(parquet.Leaf(parquet.DoubleType)),
			func(c Configuration, i int) parquet.Value {
				if v := valueAt(c.Metrics[name], i); v != nil {
					return parquet.DoubleValue(*v)
				}
				return parquet.NullValue()
			}})
	}
	for _, name := range params {
		column := paramColumn(name, configurations)
		if taken[name] {
			column.name = "param:" + name
		}
		columns = append(columns, column)
	}
	return columns
}

// paramColumn holds numbers where every value is one, and else text.
func paramColumn(name string, configurations []Configuration) parquetColumn {
	numbers := true
	for _, c := range configurations {
		if v, ok := c.Params[name]; ok {
			_, isNumber := number(v)
			numbers = numbers && isNumber
		}
	}
	if numbers {
		return parquetColumn{name, parquet.Optional(parquet.Leaf(parquet.DoubleType)), func(c Configuration, _ int) parquet.Value {
			if v, ok := number(c.Params[name]); ok {
				return parquet.DoubleValue(v)
			}
			return parquet.NullValue()
		}}
	}
	return parquetColumn{name, parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)), func(c Configuration, _ int) parquet.Value {
		if v, ok := c.Params[name]; ok {
			return parquet.ByteArrayValue([]byte(format(v)))
		}
		return parquet.NullValue()
	}}
}

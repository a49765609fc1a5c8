package prepared

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
)

// flow is one line under the header: numbers that depend on seed alone, and the label.
func flow(header string, seed int, label string) string {
	return flowOf(columns(header), seed, label)
}

// columns normalises the names of a header.
func columns(header string) []string {
	names := strings.Split(header, ",")
	for i, raw := range names {
		names[i] = schema.Normalize(raw)
	}
	return names
}

func flowOf(columns []string, seed int, label string) string {
	cells := make([]string, len(columns))
	for i, name := range columns {
		switch name {
		case "label":
			cells[i] = label
		case "source_ip", "destination_ip":
			cells[i] = fmt.Sprintf("10.0.%d.%d", seed%7, i)
		case "flow_id", "timestamp":
			cells[i] = "x"
		case schema.ForwardHeaderLength:
			cells[i] = "20"
		case "flow_bytes/s":
			cells[i] = map[bool]string{true: "Infinity", false: "12.5"}[seed%5 == 4]
		case "flow_duration":
			cells[i] = strconv.Itoa(seed)
		default:
			cells[i] = strconv.Itoa(i) + "." + strconv.Itoa(seed%3)
		}
	}
	return strings.Join(cells, ",")
}

// csv is a file of the given flows.
func csv(header string, flows ...string) string {
	return header + "\n" + strings.Join(flows, "\n") + "\n"
}

func textSource(name, text string) flowcsv.Source {
	return flowcsv.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// someSources are two files in different forms, of rows rows together.
func someSources(rows int) []flowcsv.Source {
	var first, second []string
	plain, addressed := columns(schema.RawHeader79), columns(schema.RawHeader85)
	for i := range rows {
		label := []string{"BENIGN", "DDoS", "Infiltration"}[i%3]
		if i%2 == 0 {
			first = append(first, flowOf(plain, i/4, label))
		} else {
			second = append(second, flowOf(addressed, i/4, label))
		}
	}
	return []flowcsv.Source{textSource("monday.csv", csv(schema.RawHeader79, first...)), textSource("friday.csv", csv(schema.RawHeader85, second...))}
}

// list names everything below dir, hidden things too.
func list(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			names = append(names, strings.TrimPrefix(path, dir+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

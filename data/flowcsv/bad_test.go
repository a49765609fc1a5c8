package flowcsv_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
)

// utf16LE is text as some spreadsheet programs save it.
func utf16LE(text string, mark bool) string {
	var out []byte
	if mark {
		out = append(out, 0xff, 0xfe)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

// TestBadFiles holds what is wrong with whole files: an error in any mode, with place and remedy.
func TestBadFiles(t *testing.T) {
	h := schema.RawHeader79
	row := flow(h, nil)
	cases := []struct{ name, text, want string }{
		{"empty", "", "a.csv: the file is empty; fetch it again"},
		{"blank", "\n \n\n", "a.csv: the file holds blank lines only; fetch it again"},
		{"header only", h + "\n", "a.csv: the file holds a header and no rows; fetch it again, or leave it out"},
		{"header only, no line end", h, "a.csv: the file holds a header and no rows"},
		{"header twice", file(h, h), "a.csv: the file holds a header and no rows"},
		{"gzip", "\x1f\x8b\x08\x00rest", "a.csv: is compressed (gzip); unpack it first and name the .csv"},
		{"zip", "PK\x03\x04rest", "a.csv: is compressed (zip)"},
		{"UTF-16 with mark", utf16LE(file(h, row), true), "a.csv:1: is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8"},
		{"UTF-16 without mark", utf16LE(file(h, row), false), "a.csv:1: is UTF-16 text"},
		{"web page", "\n<!DOCTYPE html><html>", "a.csv:1: is a web page and no CSV"},
		{"pointer", "version https://git-lfs.github.com/spec/v1\n", "a.csv:1: is a pointer to a large file"},
		{"Parquet", "PAR1\x15\x04", "a.csv: is Parquet"},
		{"NUL in the header", strings.Replace(file(h, row), "Label", "La\x00bel", 1), "a.csv:1: the header holds NUL bytes"},
		{"bare carriage returns", strings.ReplaceAll(file(h, row), "\n", "\r"), "a.csv:1: lines end in a bare carriage return"},
		{"semicolons", strings.ReplaceAll(file(h, row), ",", ";"), `a.csv:1: fields are separated by ';'; convert the file to commas`},
		{"open quote in the header", `"` + file(h, row), "a.csv:1: a quote in the header is not closed"},
		{"no header", file(row, row), "a.csv:1: this is no CICIDS2017 header: 78 of 78 columns are missing"},
		{"misspelt column", strings.Replace(file(h, row), "Flow Duration", "Flow Durration", 1), `a.csv:1: column 2 "Flow Durration" is unknown (did you mean "flow_duration"?)`},
		{"missing column", strings.Replace(file(h, row), ", Flow Duration", "", 1), "a.csv:1: missing: flow_duration"},
		{"long line", h + "\n" + strings.Repeat("1", 1<<20+1), "a.csv:2: the line is longer than 1048576 bytes"},
	}
	for _, c := range cases {
		for _, mode := range []flowcsv.BadRows{flowcsv.Fail, flowcsv.Drop} {
			_, err := scan(flowcsv.Options{BadRows: mode}, textSource("a.csv", c.text))
			var at *flowcsv.Error
			if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) || at.Reason != "" {
				t.Errorf("%s, %s: error is %v\nwant %s", c.name, mode, err, c.want)
			}
		}
	}
}

// TestBadRows holds what is wrong with single rows: strict reading ends with file, line, field and remedy.
func TestBadRows(t *testing.T) {
	h := schema.RawHeader79
	row := flow(h, nil)
	const remedy = "; correct the line, or have bad rows dropped"
	cases := []struct{ name, text, reason, want string }{
		{"text for a number", file(h, row, flow(h, cells{"flow_duration": "soon"})), flowcsv.ReasonNumber,
			`a.csv:3: field 2 (flow_duration): "soon" is not a number` + remedy},
		{"hexadecimal", file(h, flow(h, cells{"flow_duration": "0x10"})), flowcsv.ReasonNumber, `a.csv:2: field 2 (flow_duration): "0x10" is not a number`},
		{"two points", file(h, flow(h, cells{"flow_duration": "1.2.3"})), flowcsv.ReasonNumber, `a.csv:2: field 2 (flow_duration): "1.2.3" is not a number`},
		{"long text", file(h, flow(h, cells{"flow_duration": strings.Repeat("z", 99)})), flowcsv.ReasonNumber, `a.csv:2: field 2 (flow_duration): "zzzz`},
		{"beyond float32", file(h, flow(h, cells{"flow_duration": "1e39"})), flowcsv.ReasonRange, `a.csv:2: field 2 (flow_duration): "1e39" is beyond float32`},
		{"beyond float64", file(h, flow(h, cells{"flow_duration": "-1e999"})), flowcsv.ReasonRange, `a.csv:2: field 2 (flow_duration): "-1e999" is beyond float32`},
		{"too few fields", file(h, "1,2,3", row), flowcsv.ReasonFields, `a.csv:2: 3 fields where the header has 79` + remedy},
		{"too many fields", file(h, row+",1"), flowcsv.ReasonFields, `a.csv:2: 80 fields where the header has 79`},
		{"a field lost in the middle", file(h, strings.Replace(row, ",40,", ",", 1)), flowcsv.ReasonFields, `a.csv:2: 78 fields where the header has 79`},
		{"truncated last line", file(h, row) + row[:60], flowcsv.ReasonTruncated,
			"a.csv:3: the file ends within this line: 24 fields where the header has 79; it is truncated; fetch it again, or have bad rows dropped"},
		{"truncated label", strings.TrimSuffix(file(h, row), "GN\n"), flowcsv.ReasonLabel,
			`a.csv:2: field 79 (label): the file ends within this line: label "BENI" is not listed (did you mean "BENIGN"?); it is truncated`},
		{"unlisted label", file(h, flow(h, cells{"label": "Infiltraton"})), flowcsv.ReasonLabel,
			`a.csv:2: field 79 (label): label "Infiltraton" is not listed (did you mean "Infiltration"?); correct it, list it as an extra label, or have bad rows dropped`},
		{"blank label", file(h, flow(h, cells{"label": ""})), flowcsv.ReasonLabel, `a.csv:2: field 79 (label): label "" is not listed`},
		{"header lengths differ", file(h, strings.Replace(row, ",33,32,35,", ",33,31,35,", 1)), flowcsv.ReasonRepeat,
			`a.csv:2: field 56 (fwd_header_length): the second Fwd Header Length is "32" and the first 31`},
		{"NUL", file(h, flow(h, cells{"flow_duration": "1\x000"})), flowcsv.ReasonNUL, "a.csv:2: byte 4 of the line is NUL; the file is damaged"},
		{"NUL in the label", file(h, flow(h, cells{"label": "BENIGN\x00"})), flowcsv.ReasonNUL, "a.csv:2: byte "},
		{"open quote", file(h, flow(h, cells{"flow_duration": `"5`})), flowcsv.ReasonQuote, `a.csv:2: field 2 (flow_duration): a quote is not closed`},
		{"stray text behind a quote", file(h, flow(h, cells{"flow_duration": `"5"6`})), flowcsv.ReasonQuote, `a.csv:2: field 2 (flow_duration): a quote is not closed, or text follows it`},
		{"text for a port", file(schema.RawHeader85, flow(schema.RawHeader85, cells{"source_port": "http"})), flowcsv.ReasonNumber,
			`a.csv:2: field 3 (source_port): "http" is not a number`},
		{"text for a category", file(schema.RawHeader91, flow(schema.RawHeader91, cells{"attempted_category": "none"})), flowcsv.ReasonNumber,
			`a.csv:2: field 91 (attempted_category): "none" is not a number`},
	}
	for _, c := range cases {
		_, err := scan(flowcsv.Options{}, textSource("a.csv", c.text))
		var at *flowcsv.Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) || at.Reason != c.reason {
			t.Errorf("%s: error is %v\nwant %s", c.name, err, c.want)
		}
		dropped, err := scan(flowcsv.Options{BadRows: flowcsv.Drop}, textSource("a.csv", c.text), textSource("b.csv", file(h, row)))
		if err != nil {
			t.Errorf("%s, dropped: %v", c.name, err)
		} else if dropped.ledger.Dropped != 1 {
			t.Errorf("%s: %d rows dropped", c.name, dropped.ledger.Dropped)
		}
	}
}

// TestEndlessLine reads little of a line that has no end.
func TestEndlessLine(t *testing.T) {
	endless := &counter{Reader: endlessReader{}}
	s := flowcsv.Source{Name: "a.csv", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(schema.RawHeader79+"\n"), endless)), nil
	}}
	_, err := scan(flowcsv.Options{}, s)
	if err == nil || !strings.HasPrefix(err.Error(), "a.csv:2: the line is longer than") {
		t.Errorf("error is %v", err)
	}
	if endless.n > 4*flowcsv.DefaultMaxLine {
		t.Errorf("read %d bytes of it", endless.n)
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '7'
	}
	return len(p), nil
}

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	put := func(parts ...string) string {
		path := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tuesday, monday := put("one", "Tuesday.csv"), put("one", "Monday.CSV")
	put("one", "README.md")
	put("one", "._Monday.csv")
	put("one", "Monday.CSV.gz")
	other := put("two", "Tuesday.csv")
	put("packed", "Friday.csv.gz")
	put("deep", "er", "Friday.csv")
	named := put("flows.txt")

	names := func(paths ...string) string {
		t.Helper()
		sources, err := flowcsv.Find(paths...)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, s := range sources {
			if s.Size != 4 {
				t.Errorf("%s: size %d", s.Name, s.Size)
			}
			all = append(all, s.Name)
		}
		return strings.Join(all, " ")
	}
	cases := []struct{ name, got, want string }{
		{"folder", names(filepath.Join(dir, "one")), "Monday.CSV Tuesday.csv"},
		{"file and its folder", names(tuesday, filepath.Join(dir, "one"), monday), "Monday.CSV Tuesday.csv"},
		{"glob of files", names(filepath.Join(dir, "one", "T*.csv")), "Tuesday.csv"},
		{"glob of folders", names(filepath.Join(dir, "[ot]*o")), "Tuesday.csv"},
		{"same name twice", names(filepath.Join(dir, "one"), other), "Monday.CSV one/Tuesday.csv two/Tuesday.csv"},
		{"any extension by name", names(named), "flows.txt"},
		{"nothing named", names(), "no input: name CSV files, folders or globs"},
		{"missing", names(filepath.Join(dir, "no.csv")), filepath.Join(dir, "no.csv") + ": no such file or folder; check the path (a relative one starts at the current folder)"},
		{"glob without match", names(filepath.Join(dir, "no*.csv")), filepath.Join(dir, "no*.csv") + ": nothing matches; check the path (a relative one starts at the current folder)"},
		{"bad glob", names(filepath.Join(dir, "[")), filepath.Join(dir, "[") + ": bad glob: syntax error in pattern"},
		{"packed folder", names(filepath.Join(dir, "packed")), filepath.Join(dir, "packed", "Friday.csv.gz") + ": is compressed (gzip); unpack it first and name the .csv"},
		{"packed file", names(filepath.Join(dir, "packed", "Friday.csv.gz")), filepath.Join(dir, "packed", "Friday.csv.gz") + ": is compressed (gzip); unpack it first and name the .csv"},
		{"folder of folders", names(filepath.Join(dir, "deep")), filepath.Join(dir, "deep") + ": the folder holds no .csv file; its 1 subfolders are not searched; name one of them"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

// TestGone opens a file that went away after it was found.
func TestGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := flowcsv.File(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := scan(flowcsv.Options{}, source); err == nil || !strings.HasPrefix(err.Error(), path+": no such file") {
		t.Errorf("error is %v", err)
	}
}

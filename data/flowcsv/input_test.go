package flowcsv

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// cuts are texts with every way in which a line can lie at the end of a piece.
var cuts = []string{"a", "\n", "a\n", "a\nb", "a\n\n\nb\n", "ab\r\ncd\r\n", "abcdefghijkl\nm\n", "a\nbcdefghijklmnop", "\n\nabc\n", strings.Repeat("abc\n", 9)}

// TestSpans cuts texts at every size of span: together the spans have each line once, whole and in order.
func TestSpans(t *testing.T) {
	for _, text := range cuts {
		for size := 1; size <= len(text)+1; size++ {
			in := &mappedInput{mapped: []byte(text)}
			var got []byte
			for low := 0; low < len(text); low += size {
				s := span{low: low, high: min(low+size, len(text)), first: low == 0}
				lines, n := s.lines(in.mapped, 1000)
				if n > 0 && n < len(text)-len(got) && lines[n-1] != '\n' {
					t.Errorf("%q by %d: a piece ends in the line %q", text, size, lines[:n])
				}
				got = append(got, lines[:n]...)
			}
			if string(got) != text {
				t.Errorf("%q by %d: pieces have %q", text, size, got)
			}
		}
	}
}

// TestSpanOfLongLine cuts a line that is too long, and no other, wherever the spans end.
func TestSpanOfLongLine(t *testing.T) {
	for length := range 40 {
		text := []byte("ab\n" + strings.Repeat("x", length) + "\ncd\n")
		for size := 1; size <= len(text); size++ {
			longest := 0
			for low := 0; low < len(text); low += size {
				lines, n := span{low, min(low+size, len(text)), low == 0}.lines(text, 19)
				for _, line := range bytes.Split(lines[:n], []byte("\n")) {
					longest = max(longest, len(line))
				}
			}
			if want := max(2, length); longest != want && !(want > 19 && longest > 19) {
				t.Errorf("line of %d by %d: the longest has %d", length, size, longest)
			}
		}
	}
}

// TestStreamPieces does with streams what TestSpans does with maps.
func TestStreamPieces(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range cuts {
		for size := 1; size <= len(text)+1; size++ {
			for name, stream := range map[string]io.Reader{
				"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)),
				"error": io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)),
			} {
				in := &streamInput{stream: io.NopCloser(stream), max: 1000, rest: nil}
				got := drain(t, in, size)
				want, failed := text, error(nil)
				if name == "error" {
					want, failed = text[:strings.LastIndexByte(text, '\n')+1], broken
				}
				if got != want || in.failed() != failed {
					t.Errorf("%q by %d, %s: pieces have %q, error is %v", text, size, name, got, in.failed())
				}
			}
		}
	}
}

// drain joins the pieces of an input for pieces of the size.
func drain(t *testing.T, in *streamInput, size int) string {
	var got []byte
	for {
		p := &piece{buf: make([]byte, size+lookahead)}
		if !in.next(p) {
			return string(got)
		}
		if behind := len(p.text) - p.size; p.text[p.size-1] == '\n' != (behind == lookahead) || behind != 0 && behind != lookahead {
			t.Errorf("%d bytes behind %q", behind, p.text[:p.size])
		}
		got = append(got, p.text[:p.size]...)
	}
}

// TestStreamStopsAtLongLine reads no further than it must to know that a line is too long.
func TestStreamStopsAtLongLine(t *testing.T) {
	endless := &pieces{text: bytes.Repeat([]byte("x"), 1000), size: 1}
	in := &streamInput{stream: io.NopCloser(endless), max: 100, rest: []byte("abc\n")}
	got := drain(t, in, 10)
	if _, last, _ := strings.Cut(got, "\n"); len(last) <= 100 || len(last) > 200 || 1000-len(endless.text) > 200 {
		t.Errorf("%d bytes handed out, %d read", len(last), 1000-len(endless.text))
	}
}

// TestMapped maps regular files from where they are read next, and nothing else.
func TestMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("skipped\nheader\nrow\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(8, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	offset := position(f)
	head := newLines(f, 1000)
	if line, _, err := head.next(); err != nil || string(line) != "header" {
		t.Fatalf("header %q, %v", line, err)
	}
	in := newInput(f, offset, head)
	defer in.close()
	m, ok := in.(*mappedInput)
	if !ok {
		if os.Getenv("REQUIRE_MMAP") != "" {
			t.Fatal("files are not mapped on this system")
		}
		t.Skip("files are not mapped on this system")
	}
	if got := string(m.mapped[m.at:]); got != "row\n" {
		t.Errorf("rows are %q", got)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	stream := newInput(r, position(r), newLines(r, 1000))
	if _, ok := stream.(*streamInput); !ok {
		t.Error("a pipe was mapped")
	}
	if err := stream.close(); err != nil {
		t.Error(err)
	}
}

// TestShrunkFile reads a mapped file that was cut short after it was mapped.
func TestShrunkFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x,y\n"), 1<<18), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, release, ok := mapFile(f)
	if !ok {
		if os.Getenv("REQUIRE_MMAP") != "" {
			t.Fatal("files are not mapped on this system")
		}
		t.Skip("files are not mapped on this system")
	}
	defer release()
	if err := os.Truncate(path, 1<<10); err != nil {
		t.Fatal(err)
	}
	p := &piece{file: &fileScan{place: "a.csv", scan: &scan{Scanner: &Scanner{opt: Options{MaxLine: 1000}}}}, mapped: mapped, span: span{1 << 19, 1 << 20, false}}
	p.read()
	if p.failed == nil || p.failed.Error() != "a.csv: the file was cut short, or its disk failed, while it was read; let nothing write to it, and read it again" {
		t.Errorf("error is %v", p.failed)
	}
}

// TestForeignFault lets go on what is no fault of the file.
func TestForeignFault(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a fault of the program was swallowed")
		}
	}()
	p := &piece{file: nil, mapped: make([]byte, 10), span: span{0, 10, true}}
	p.read()
}

// TestNumbering compares with a map, through several growths, with digests that share their first bits.
func TestNumbering(t *testing.T) {
	table, plain := newNumbering(), make(map[digest]int)
	var order []digest
	for i := range uint64(20_000) {
		d := digest{i * i % 7919 << 50, i % 3}
		want, seen := plain[d]
		if !seen {
			want = len(plain)
			plain[d] = want
			order = append(order, d)
		}
		if got, isNew := table.number(d); got != want || isNew == seen {
			t.Fatalf("digest %d is number %d, new: %v; want %d", i, got, isNew, want)
		}
	}
	if len(order) < 4*firstSlots {
		t.Fatalf("%d digests do not make the table grow", len(order))
	}
	if slices.ContainsFunc(order, func(d digest) bool { n, isNew := table.number(d); return isNew || order[n] != d }) {
		t.Error("a digest was lost")
	}
}

// TestRowHash tells rows apart that differ in one bit, at every length.
func TestRowHash(t *testing.T) {
	for length := 1; length <= 19; length++ {
		h := newRowHash(length)
		row := make([]float32, length)
		seen := map[digest]bool{h.digest(row): true}
		for i := range row {
			for _, v := range []float32{1, 2, -1, 1e-45, 3e38} {
				row[i] = v
				seen[h.digest(row)] = true
			}
			row[i] = 0
		}
		if len(seen) != 1+5*length {
			t.Errorf("%d values: %d of %d rows are told apart", length, len(seen), 1+5*length)
		}
		if h.digest(row) != newRowHash(length).digest(row) {
			t.Errorf("%d values: the hash changes from run to run", length)
		}
	}
}

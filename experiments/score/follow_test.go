package score

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/data/flowcsv"
)

// growing is a file that is written to while it is followed, and what came out.
type growing struct {
	t       *testing.T
	path    string
	stop    context.CancelFunc
	ended   chan *Summary
	mu      sync.Mutex
	out     strings.Builder
	notices []string
}

// Write takes the verdicts.
func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.out.Write(p)
}

// notice takes a notice.
func (g *growing) notice(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notices = append(g.notices, line)
}

// noticed is the notices until now.
func (g *growing) noticed() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.notices)
}

// untilNoticed waits for a notice that holds words.
func (g *growing) untilNoticed(words string) {
	g.t.Helper()
	has := func(line string) bool { return strings.Contains(line, words) }
	for deadline := time.Now().Add(time.Minute); !slices.ContainsFunc(g.noticed(), has); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("no notice of %q in %q", words, g.noticed())
		}
	}
}

// follow starts to follow a file that holds text.
func follow(t *testing.T, m trained, text string) *growing {
	t.Helper()
	g := &growing{t: t, path: filepath.Join(t.TempDir(), "live.csv"), ended: make(chan *Summary, 1)}
	g.put(text, os.O_CREATE)
	in, err := NewFollow(g.path, m.model.Model.Scaler.Columns, flowcsv.Options{BadRows: flowcsv.Drop}, g.notice)
	if err != nil {
		t.Fatal(err)
	}
	in.every = time.Millisecond
	w, err := NewWriter("csv", g, in, m.model.Model, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	g.stop = stop
	go func() {
		s, err := Run(ctx, m.model, single(t), in, w, Options{Threshold: m.model.Model.Threshold.V, Explain: Alerts})
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Errorf("following: %v", err)
		}
		g.ended <- s
	}()
	return g
}

// put writes to the file in the given way.
func (g *growing) put(text string, how int) {
	g.t.Helper()
	f, err := os.OpenFile(g.path, os.O_WRONLY|how, 0o644)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := io.WriteString(f, text); err != nil {
		g.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		g.t.Fatal(err)
	}
}

// rows waits until so many have come.
func (g *growing) rows(n int) [][]string {
	g.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		g.mu.Lock()
		text := g.out.String()
		g.mu.Unlock()
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err == nil && len(rows) > n {
			if len(rows) > n+1 {
				g.t.Fatalf("%d rows, want %d", len(rows)-1, n)
			}
			return rows[1:]
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("%d rows have not come: %v\n%s", n, err, text)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFollowScoresWhatComes(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	lines := strings.SplitAfter(textOf(t, flowFiles(t, 3000)[0]), "\n")
	header, lines := lines[0], lines[1:]
	whole, _ := run(t, m, newCSV(t, m, source("live.csv", header+strings.Join(lines[:20], ""))), "csv", Options{})
	want := rowsOf(t, whole)

	g := follow(t, m, header+lines[0]+lines[1]+lines[2][:30])
	g.rows(2)
	g.put(lines[2][30:], os.O_APPEND)
	g.rows(3)
	g.put(strings.Join(lines[3:20], "")+lines[20][:10], os.O_APPEND)
	for i, row := range g.rows(20) {
		if strings.Join(row, ",") != strings.Join(want[i], ",") {
			t.Errorf("row %d: %v, want %v", i, row, want[i])
		}
	}
	g.stop()
	if s := <-g.ended; s == nil || s.Rows != 20 {
		t.Errorf("summary %+v", s)
	}
	if n := g.noticed(); len(n) != 1 || !strings.Contains(n[0], "last 10 bytes") {
		t.Errorf("notices %q", n)
	}
}

func TestFollowNoticesRotationAndTruncation(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	lines := strings.SplitAfter(textOf(t, flowFiles(t, 3000)[0]), "\n")
	header, lines := lines[0], lines[1:]
	g := follow(t, m, header+lines[0]+lines[1])
	g.rows(2)
	if err := os.Rename(g.path, g.path+".1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // gone for some looks
	g.put(header+lines[2], os.O_CREATE)
	g.rows(3)
	g.put(header, os.O_TRUNC)
	g.untilNoticed("cut short") // before it grows to what it was
	g.put(lines[3]+"1,2,3\n", os.O_APPEND)
	rows := g.rows(4)
	for i, row := range rows {
		if line := []string{"2", "3", "2", "2"}[i]; row[columnLine] != line || row[0] != string(rune('1'+i)) {
			t.Errorf("row %d stands in line %s with the number %s", i, row[columnLine], row[0])
		}
	}
	g.stop()
	s := <-g.ended
	if s == nil || s.Rows != 4 || s.Input.Dropped != 1 {
		t.Errorf("summary %+v", s)
	}
	if n := g.noticed(); len(n) != 2 || !strings.Contains(n[0], "replaced") || !strings.Contains(n[1], "cut short") {
		t.Errorf("notices %q", n)
	}
}

// A failure to write ends a follow that no new row would wake.
func TestFollowEndsWhereWritingFails(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	path := filepath.Join(t.TempDir(), "live.csv")
	if err := os.WriteFile(path, []byte(textOf(t, flowFiles(t, 3000)[0])), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := NewFollow(path, m.model.Model.Scaler.Columns, flowcsv.Options{}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	r, pipe := io.Pipe()
	r.Close()
	w, err := NewWriter("csv", pipe, in, m.model.Model, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), m.model, single(t), in, w, Options{Explain: Alerts}); err == nil {
		t.Error("nobody reads, and no error says so")
	}
}

// TestLargeOutput is sent to the disk while it is written.
func TestLargeOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	o, err := CreateOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MB
	const blocks = 3*syncEvery/(1<<20) + 1
	for range blocks {
		if n, err := o.Write(block); n != len(block) || err != nil {
			t.Fatal(n, err)
		}
	}
	if o.synced == nil {
		t.Error("nothing was sent ahead")
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, bytes.Repeat(block, blocks)) {
		t.Errorf("%d bytes were kept of %d, %v", len(got), blocks*len(block), err)
	}
}

func TestOutputIsWholeOrNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	for _, commit := range []bool{false, true} {
		o, err := CreateOutput(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(o, "rows"); err != nil {
			t.Fatal(err)
		}
		if commit {
			if err := o.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		o.Close()
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1}[commit]; len(entries) != want {
			t.Errorf("committed %v: %d files", commit, len(entries))
		}
	}
	if _, err := CreateOutput(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder as output: %v", err)
	}
}

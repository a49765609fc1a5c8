package prepared

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio"
)

func mustWrite(t *testing.T, dir string, sources []flowcsv.Source, opt Options) *Manifest {
	t.Helper()
	m, err := Write(context.Background(), dir, sources, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustOpen(t *testing.T, dir string) *Set {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestRoundTrip compares an opened set with what the scanner yields, for sizes around a block.
func TestRoundTrip(t *testing.T) {
	for _, rows := range []int{2, 19, 2*flowcsv.BlockRows - 1, 2 * flowcsv.BlockRows, 2*flowcsv.BlockRows + 2} {
		dir := filepath.Join(t.TempDir(), "deep", "er", "set")
		m := mustWrite(t, dir, someSources(rows), Options{Source: "made up", Synthetic: true})
		s := mustOpen(t, dir)
		if diff := cmp.Diff(m, s.Manifest()); diff != "" {
			t.Errorf("%d rows: manifest (-written +read):\n%s", rows, diff)
		}
		if err := s.Verify(); err != nil {
			t.Error(err)
		}
		compareWithScan(t, s, someSources(rows))
	}
}

func compareWithScan(t *testing.T, s *Set, sources []flowcsv.Source) {
	t.Helper()
	scanner, err := flowcsv.NewScanner(sources, flowcsv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at, cols := 0, len(s.Manifest().Columns)
	l, err := scanner.Scan(context.Background(), func(b *flowcsv.Block) error {
		for i := range b.Rows {
			if got, want := s.Manifest().Labels[s.Labels()[at+i]], scanner.Labels()[b.Labels[i]]; got != want {
				t.Fatalf("row %d is %s, want %s", at+i, got, want)
			}
			if s.Groups()[at+i] != b.Groups[i] || int(s.Files()[at+i]) != b.File {
				t.Fatalf("row %d: group %d, file %d", at+i, s.Groups()[at+i], s.Files()[at+i])
			}
		}
		for i, want := range b.Features {
			if got := s.Features()[at*cols+i]; math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("cell %d is %v, want %v", at*cols+i, got, want)
			}
		}
		at += b.Rows
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if at != len(s.Labels()) || int64(at) != s.Manifest().Rows || len(s.Features()) != at*cols {
		t.Errorf("%d rows, want %d", len(s.Labels()), at)
	}
	if diff := cmp.Diff(l, s.Manifest().Ledger); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	var done, total int64
	m := mustWrite(t, dir, someSources(20), Options{Source: "made up", Progress: func(d, of int64) { done, total = d, of }})
	if diff := cmp.Diff([]string{"BENIGN", "Infiltration", "DDoS"}, m.Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{7, 6, 7}, m.LabelRows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"monday.csv", "friday.csv"}, m.FileNames()); diff != "" {
		t.Error(diff)
	}
	if m.Rows != 20 || m.Source != "made up" || m.Synthetic || len(m.Columns) != schema.Cols || m.Groups < 2 {
		t.Errorf("manifest %+v", m)
	}
	if done == 0 || done != total {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	if !IsPrepared(dir) || IsPrepared(filepath.Dir(dir)) {
		t.Error("IsPrepared is wrong")
	}
	if list(t, filepath.Dir(dir)) != "set set/features.npy set/files.npy set/groups.npy set/labels.npy set/manifest.json" {
		t.Errorf("files: %s", list(t, filepath.Dir(dir)))
	}
}

func TestBenignComesFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	m := mustWrite(t, dir, []flowcsv.Source{textSource("a.csv", csv(schema.RawHeader79, flow(schema.RawHeader79, 1, "Bot")))}, Options{})
	if !slices.Equal(m.Labels, []string{"BENIGN", "Bot"}) || !slices.Equal(m.LabelRows, []int64{0, 1}) {
		t.Errorf("labels %v, rows %v", m.Labels, m.LabelRows)
	}
}

// TestFingerprint changes with content and with nothing else.
func TestFingerprint(t *testing.T) {
	h := schema.RawHeader79
	write := func(opt Options, texts ...string) string {
		var sources []flowcsv.Source
		for i, text := range texts {
			sources = append(sources, textSource(string(rune('a'+i))+opt.Source+".csv", text))
		}
		return mustWrite(t, filepath.Join(t.TempDir(), "set"), sources, opt).Fingerprint
	}
	one, two, three := flow(h, 1, "BENIGN"), flow(h, 2, "BENIGN"), flow(h, 3, "Bot")
	base := write(Options{}, csv(h, one, two, three))
	for name, same := range map[string]string{
		"other names":    write(Options{Source: "elsewhere", Synthetic: true}, csv(h, one, two, three)),
		"two files":      write(Options{}, csv(h, one), csv(h, two, three)),
		"other spelling": write(Options{}, strings.ReplaceAll(csv(h, one, two, strings.Replace(three, "Bot", "Botnet", 1)), ",", " ,")),
	} {
		if same != base {
			t.Errorf("%s: fingerprint changed", name)
		}
	}
	for name, other := range map[string]string{
		"order": write(Options{}, csv(h, two, one, three)), "a value": write(Options{}, csv(h, one, two, flow(h, 4, "Bot"))),
		"a label": write(Options{}, csv(h, one, two, flow(h, 3, "DDoS"))), "a row less": write(Options{}, csv(h, one, three)),
	} {
		if other == base {
			t.Errorf("%s: fingerprint stayed", name)
		}
	}
	addressed := schema.RawHeader85
	here := flow(addressed, 1, "BENIGN")
	there := strings.Replace(here, "10.0.1.1", "10.0.1.99", 1)
	if write(Options{}, csv(addressed, here, here)) == write(Options{}, csv(addressed, here, there)) {
		t.Error("groups: fingerprint stayed")
	}
}

// TestHeader is what numpy 1.24 writes for the same array, but for the padding to 128 bytes.
func TestHeader(t *testing.T) {
	got := npyHeader("<f4", []int64{60029, 77})
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (60029, 77), }"
	if string(got) != want+strings.Repeat(" ", 127-len(want))+"\n" {
		t.Errorf("header is %q", got)
	}
	if got := npyHeader("<i4", []int64{5}); !bytes.Contains(got, []byte("'shape': (5,), ")) {
		t.Errorf("header is %q", got)
	}
	npyHeader("<i8", []int64{math.MaxInt64, math.MaxInt64}) // the longest there is must fit
}

// TestForeignReader opens the arrays with another implementation of the format.
func TestForeignReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	mustWrite(t, dir, someSources(99), Options{})
	s := mustOpen(t, dir)
	var features []float32
	readNpy(t, filepath.Join(dir, featuresName), &features, []int{99, schema.Cols})
	if !bytes.Equal(asBytes(features), asBytes(s.Features())) {
		t.Error("features differ")
	}
	var labels []int32
	readNpy(t, filepath.Join(dir, labelsName), &labels, []int{99})
	var groups []int64
	readNpy(t, filepath.Join(dir, groupsName), &groups, []int{99})
	if !slices.Equal(labels, s.Labels()) || !slices.Equal(groups, s.Groups()) {
		t.Error("labels or groups differ")
	}
}

func readNpy[T element](t *testing.T, path string, into *[]T, shape []int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npyio.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Header.Descr.Shape, shape) {
		t.Errorf("%s: shape %v, want %v", path, r.Header.Descr.Shape, shape)
	}
	if err := r.Read(into); err != nil {
		t.Fatal(err)
	}
}

// TestForeignWriter opens a set whose labels numpy or another program rewrote with a longer header.
func TestForeignWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	mustWrite(t, dir, someSources(19), Options{})
	path := filepath.Join(dir, labelsName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := "\x93NUMPY\x01\x00\xb6\x00{'descr': '<i4', 'fortran_order': False, 'shape': (19,)}"
	header += strings.Repeat(" ", 191-len(header)) + "\n"
	if err := os.WriteFile(path, append([]byte(header), data[headerSize:]...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, dir).Verify(); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	mustWrite(t, dir, someSources(2), Options{})
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if s.Features() != nil || s.Labels() != nil || s.Groups() != nil || s.Files() != nil {
		t.Error("views outlive Close")
	}
}

package prepared

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
	"flowbench/data/staging"
)

// TestOpenDamaged breaks a set in one way at a time: the error names the file and the remedy.
func TestOpenDamaged(t *testing.T) {
	cases := []struct {
		name, file string
		damage     func([]byte) []byte // nil result removes the file
		want       string
	}{
		{"truncated features", featuresName, func(b []byte) []byte { return b[:len(b)-4] }, "features.npy: holds 5848 bytes of data, want 5852: it is truncated or damaged; prepare the set again"},
		{"longer labels", labelsName, func(b []byte) []byte { return append(b, 0) }, "labels.npy: holds 77 bytes of data, want 76"},
		{"empty groups", groupsName, func(b []byte) []byte { return b[:0] }, "groups.npy: no .npy file"},
		{"cut header", groupsName, func(b []byte) []byte { return b[:50] }, "groups.npy: truncated within the header"},
		{"no features", featuresName, func([]byte) []byte { return nil }, "features.npy: no such file"},
		{"double features", featuresName, replace("<f4", "<f8"), "features.npy: holds <f8, want <f4"},
		{"big-endian features", featuresName, replace("<f4", ">f4"), "features.npy: holds >f4, want <f4"},
		{"other shape", featuresName, replace("(19, 77)", "(77, 19)"), "features.npy: has shape [77 19], the manifest says [19 77]"},
		{"column-major", featuresName, replace("False", "True "), "features.npy: column-major order"},
		{"strange header", filesName, replace("'shape'", "'shaqe'"), "files.npy: header"},
		{"label out of range", labelsName, func(b []byte) []byte { b[headerSize] = 9; return b }, "labels.npy: row 0 is 9, of 3"},
		{"negative file", filesName, func(b []byte) []byte { copy(b[headerSize+4:], "\xff\xff\xff\xff"); return b }, "files.npy: row 1 is -1, of 2"},
		{"no manifest", manifestName, func([]byte) []byte { return nil }, "no manifest.json: this is no prepared set; make one with flowbench data prepare"},
		{"cut manifest", manifestName, func(b []byte) []byte { return b[:len(b)/2] }, "manifest.json: unexpected end of JSON input; prepare the set again"},
		{"later version", manifestName, replace(`"version": 1`, `"version": 2`), "manifest.json: version 2, this program reads 1"},
		{"other column", manifestName, replace(`"destination_port",`, `"destination_pork",`), "manifest.json: fingerprint: it does not fit"},
		{"other rows", manifestName, replace(`"rows": 19`, `"rows": 20`), "manifest.json: rows: 20, and 19 kept in the ledger"},
		{"no rows", manifestName, replace(`"rows": 19`, `"rows": -1`), "manifest.json: rows: -1"},
		{"ledger", manifestName, replace(`"lines": 11`, `"lines": 12`), "manifest.json: ledger does not balance: monday.csv"},
	}
	for _, c := range cases {
		dir := filepath.Join(t.TempDir(), "set")
		mustWrite(t, dir, someSources(19), Options{})
		path := filepath.Join(dir, c.file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if data = c.damage(data); data == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error is %v\nwant %s", c.name, err, c.want)
		}
		if s != nil {
			t.Errorf("%s: an open set", c.name)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "make it with flowbench data prepare") {
		t.Errorf("error is %v", err)
	}
}

func replace(old, by string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			panic("nothing to replace: " + old)
		}
		return bytes.Replace(b, []byte(old), []byte(by), 1)
	}
}

// TestVerify finds a changed bit that Open does not look at.
func TestVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	mustWrite(t, dir, someSources(19), Options{})
	path := filepath.Join(dir, featuresName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, dir).Verify(); err == nil || !strings.Contains(err.Error(), "features.npy: its data has SHA-256") {
		t.Errorf("error is %v", err)
	}
}

// TestWriteRefuses keeps what is in the way, as it is.
func TestWriteRefuses(t *testing.T) {
	top := t.TempDir()
	put := func(parts ...string) {
		path := filepath.Join(append([]string{top}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("flows", "monday.csv")
	put("plain")
	mustWrite(t, filepath.Join(top, "set"), someSources(2), Options{Source: "flows"})
	mustWrite(t, filepath.Join(top, "mixed"), someSources(2), Options{})
	put("mixed", "notes.txt")
	before := list(t, top)
	cases := []struct {
		dir  string
		opt  Options
		want string
	}{
		{"flows", Options{Replace: true}, "the folder holds other files and is no prepared set; choose another folder"},
		{"plain", Options{Replace: true}, "there is a file of this name or above it; choose another folder"},
		{filepath.Join("plain", "set"), Options{}, "there is a file of this name or above it; choose another folder"},
		{"set", Options{}, "the folder already holds a prepared set (2 rows of flows); use it, choose another folder, or ask for it to be replaced"},
		{"mixed", Options{Replace: true}, "the folder also holds notes.txt, which is no part of a prepared set"},
		{"new", Options{Read: flowcsv.Options{Ungrouped: true}}, "the set needs groups"},
		{"new", Options{Read: flowcsv.Options{BadRows: "maybe"}}, "bad rows"},
	}
	for _, c := range cases {
		_, err := Write(context.Background(), filepath.Join(top, c.dir), someSources(4), c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v\nwant %s", c.dir, err, c.want)
		}
		if got, want := errors.Is(err, ErrExists), c.dir == "set"; got != want {
			t.Errorf("%s: errors.Is(ErrExists) is %v", c.dir, got)
		}
	}
	if after := list(t, top); after != before {
		t.Errorf("files before: %s\nafter: %s", before, after)
	}
}

func TestReplace(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "set")
	if err := os.Mkdir(dir, 0o755); err != nil { // an empty folder is no obstacle
		t.Fatal(err)
	}
	mustWrite(t, dir, someSources(2), Options{})
	link := filepath.Join(top, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for i, place := range []string{dir, link, dir} {
		rows := int64(10 + i)
		mustWrite(t, place, someSources(int(rows)), Options{Replace: true})
		if got := mustOpen(t, place).Manifest().Rows; got != rows {
			t.Errorf("%s holds %d rows, want %d", place, got, rows)
		}
	}
	if got := list(t, top); got != "link set set/features.npy set/files.npy set/groups.npy set/labels.npy set/manifest.json" {
		t.Errorf("files: %s", got)
	}
}

// failingFile fails once budget bytes were written to all files together.
type failingFile struct {
	*os.File
	budget *int
	err    error
}

func (f failingFile) Write(p []byte) (int, error) {
	if *f.budget -= len(p); *f.budget < 0 {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: f.err}
	}
	return f.File.Write(p)
}

func (f failingFile) WriteAt(p []byte, at int64) (int, error) {
	if *f.budget -= len(p); *f.budget < 0 {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: f.err}
	}
	return f.File.WriteAt(p, at)
}

// TestDiskFull fills the disk at every stage: an error that says so, and nothing stays.
func TestDiskFull(t *testing.T) {
	top := t.TempDir()
	sources := someSources(4000) // more than one buffer of the writer
	mustWrite(t, filepath.Join(top, "whole"), sources, Options{})
	before := list(t, top)
	for budget := 0; ; budget += 250_000 {
		left := budget
		dir := filepath.Join(top, "made", "set")
		_, err := write(context.Background(), dir, sources, Options{}, func(path string) (file, error) {
			f, err := os.Create(path)
			return failingFile{f, &left, syscall.ENOSPC}, err
		})
		if err == nil {
			if budget < 1_000_000 {
				t.Errorf("no error with room for %d bytes", budget)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space or choose another folder") {
			t.Errorf("%d bytes: error is %v", budget, err)
		}
		if after := list(t, top); after != before {
			t.Fatalf("%d bytes: files before: %s\nafter: %s", budget, before, after)
		}
	}
}

// TestReadOnly asks for a set where no folder can be made.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // whom permissions do not stop
		if runtime.GOOS != "linux" {
			if os.Getenv("REQUIRE_USER") != "" {
				t.Fatal("root can write everywhere on this system")
			}
			t.Skip("root can write everywhere on this system")
		}
		dir = "/sys"
	}
	_, err := Write(context.Background(), filepath.Join(dir, "flowbench", "set"), someSources(2), Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot be written: ") || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "flowbench")); err == nil {
		t.Error("a folder stayed")
	}
}

// TestNothingStays ends a write by bad input or by cancelling it.
func TestNothingStays(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "set")
	mustWrite(t, dir, someSources(2), Options{})
	before := list(t, top)
	broken := append(someSources(300), textSource("bad.csv", csv(schema.RawHeader79, "1,2,3")))
	if _, err := Write(context.Background(), dir, broken, Options{Replace: true}); err == nil || !strings.Contains(err.Error(), "bad.csv:2: 3 fields") {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Write(ctx, dir, someSources(600), Options{Replace: true, Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if after := list(t, top); after != before {
		t.Errorf("files before: %s\nafter: %s", before, after)
	}
	if got := mustOpen(t, dir).Manifest().Rows; got != 2 {
		t.Errorf("the earlier set has %d rows", got)
	}
}

// TestUnreadableSource does not blame the output folder for an input.
func TestUnreadableSource(t *testing.T) {
	locked := flowcsv.Source{Name: "locked.csv", Open: func() (io.ReadCloser, error) { return nil, fs.ErrPermission }}
	_, err := Write(context.Background(), filepath.Join(t.TempDir(), "set"), []flowcsv.Source{locked}, Options{})
	if err == nil || err.Error() != "locked.csv: permission denied; make it readable" {
		t.Errorf("error is %v", err)
	}
}

// TestLeftBehind clears what a killed process left, and spares what a living one holds.
func TestLeftBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		if os.Getenv("REQUIRE_LOCKS") != "" {
			t.Fatal("no locks on folders: nothing counts as left behind")
		}
		t.Skip("no locks on folders: nothing counts as left behind")
	}
	top := t.TempDir()
	dead, alive := filepath.Join(top, ".set.partial-1-0"), filepath.Join(top, ".set.partial-2-0")
	for _, dir := range []string{dead, alive} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, featuresName), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := staging.Lock(alive)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	mustWrite(t, filepath.Join(top, "set"), someSources(2), Options{})
	if got := list(t, top); got != ".set.partial-2-0 .set.partial-2-0/features.npy set set/features.npy set/files.npy set/groups.npy set/labels.npy set/manifest.json" {
		t.Errorf("files: %s", got)
	}
}

// TestRace lets several writers build the same set: one of them wins, the others say so.
func TestRace(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "set")
	const writers = 4
	errs := make(chan error, writers)
	for range writers {
		go func() {
			_, err := Write(context.Background(), dir, someSources(300), Options{})
			errs <- err
		}()
	}
	won := 0
	for range writers {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, ErrExists) && !strings.Contains(err.Error(), "somebody else"):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
	if err := mustOpen(t, dir).Verify(); err != nil {
		t.Error(err)
	}
	if got := list(t, top); strings.Contains(got, "partial") {
		t.Errorf("files: %s", got)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "free some space"}, {syscall.EFBIG, "raise the limit on the size of files (ulimit -f)"}, {syscall.EROFS, "cannot be written"}, {syscall.EACCES, "cannot be written"}, {syscall.EIO, "input/output error"},
	} {
		if err := explain("out", fmt.Errorf("write: %w", c.err)); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error is %v", c.err, err)
		}
	}
}

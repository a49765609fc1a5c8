package staging

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// list is every path under dir, sorted and joined.
func list(t *testing.T, dir string) string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			paths = append(paths, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(paths, " ")
}

func mustNew(t *testing.T, final string) *Folder {
	t.Helper()
	f, err := New(final, ".new-"+filepath.Base(final)+"-")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPublish(t *testing.T) {
	top := t.TempDir()
	f := mustNew(t, filepath.Join(top, "a", "b", "set"))
	if err := os.WriteFile(filepath.Join(f.Path, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Publish(os.Rename); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, top); got != "a a/b a/b/set a/b/set/file" {
		t.Errorf("there is %s", got)
	}
}

func TestNothingIsLeftOfWhatWasNotPublished(t *testing.T) {
	top := t.TempDir()
	f, other := mustNew(t, filepath.Join(top, "a", "b", "set")), mustNew(t, filepath.Join(top, "a", "set"))
	broken := errors.New("broken")
	if err := f.Publish(func(_, _ string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("publishing returned %v", err)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, top), "a a/"+filepath.Base(other.Path); got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
	if err := other.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, top); got != "a" { // which f made, and another's folder was in it
		t.Errorf("there is %s", got)
	}
}

func TestAFileAboveThePlace(t *testing.T) {
	top := t.TempDir()
	if err := os.WriteFile(filepath.Join(top, "a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(filepath.Join(top, "a", "b", "set"), ".new-"); err == nil {
		t.Error("a folder was made below a file")
	}
	if got := list(t, top); got != "a" {
		t.Errorf("there is %s", got)
	}
}

// TestMoreAtOnce makes folders for one place from many threads: each has its own,
// and nobody takes another's for one that was left behind.
func TestMoreAtOnce(t *testing.T) {
	final := filepath.Join(t.TempDir(), "set")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				f, err := New(final, ".new-set-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(f.Path, "mine"), nil, 0o644); err != nil {
					t.Error(err)
				}
				if entries, err := os.ReadDir(f.Path); err != nil || len(entries) != 1 {
					t.Errorf("%d files, %v", len(entries), err)
				}
				if err := f.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestLeftBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		if os.Getenv("REQUIRE_LOCKS") != "" {
			t.Fatal("no locks on folders: nothing counts as left behind")
		}
		t.Skip("no locks on folders: nothing counts as left behind")
	}
	top := t.TempDir()
	for _, name := range []string{".new-set-1-0/half", ".new-set-2-0/half", ".new-set-notes", ".new-other-1-0"} {
		if err := os.MkdirAll(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := Lock(filepath.Join(top, ".new-set-2-0"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Lock(filepath.Join(top, ".new-set-2-0")); !errors.Is(err, ErrHeld) {
		t.Errorf("a second lock returned %v", err)
	}
	if err := mustNew(t, filepath.Join(top, "set")).Remove(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, top); got != ".new-other-1-0 .new-set-2-0 .new-set-2-0/half .new-set-notes" {
		t.Errorf("there is %s", got)
	}
}

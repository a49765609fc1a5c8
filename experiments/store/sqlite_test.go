package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowbench/experiments/store"
	"flowbench/experiments/store/storetest"
)

func open(t testing.TB, path string) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	folders := map[*testing.T]string{}
	storetest.Run(t, func(t *testing.T, name string) store.Store {
		if folders[t] == "" {
			folders[t] = t.TempDir()
		}
		return open(t, filepath.Join(folders[t], name+".sqlite"))
	})
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b", "50%", "what?mode=memory", "hash#tag", "ünïcode", "100%3f", "a&b=c;d"} {
		folder := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name+".sqlite")
		if err := open(t, path).Create(t.Context(), name, "f", nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFirstOpenings: whoever comes at the same moment, the tables are made once.
func TestFirstOpenings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sqlite")
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			s, err := store.OpenSQLite(path)
			if err == nil {
				err = errors.Join(s.Create(context.Background(), "a", "f", []store.PlannedTrial{{Index: 0}}), s.Close())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestDurability(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sqlite")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mode string
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s (%v)", mode, err)
	}
}

func TestRefusedFiles(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.sqlite")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(folder, "foreign.sqlite")
	newer := filepath.Join(folder, "newer.sqlite")
	if err := open(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	for path, statement := range map[string]string{foreign: `CREATE TABLE t (x)`, newer: `PRAGMA user_version = 7`} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		db.Close()
	}
	for path, part := range map[string]string{
		text:    "the file is no database",
		foreign: "is a database of something else",
		newer:   "version 7 of its tables",
		folder:  "cannot be opened",
		filepath.Join(folder, "nowhere/s.sqlite"): "its folder is not there",
	} {
		_, err := store.OpenSQLite(path)
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want ...%s...", path, err, part)
		}
	}
}

// TestReadOnly cannot be run as root, whom no permission stops; a full or
// read-only disk gives the same code, which is what the message comes from.
func TestReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		if os.Getenv("REQUIRE_USER") != "" {
			t.Fatal("running as root, whom file permissions do not stop")
		}
		t.Skip("running as root, whom file permissions do not stop")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "s.sqlite")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o444), os.Chmod(folder, 0o555)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o755)
	if _, err := store.OpenSQLite(path); err == nil || !strings.Contains(err.Error(), "choose another output folder") {
		t.Errorf("got %v", err)
	}
}

// TestCancelled: a store that a cancelled call has left is whole.
func TestCancelled(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	if err := s.Create(t.Context(), "a", "f", []store.PlannedTrial{{Index: 0}}); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Claim(cancelled, "a", time.Minute, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if c, err := s.Claim(t.Context(), "a", time.Minute, time.Now()); err != nil || c == nil || c.Attempt != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// endsAtLook is a context that ends when its Done is asked for the at-th time,
// and gives those who wait for that the time to see it.
type endsAtLook struct {
	context.Context
	end   context.CancelFunc
	looks atomic.Int64
	at    int64
}

func (c *endsAtLook) Done() <-chan struct{} {
	if c.looks.Add(1) == c.at {
		c.end()
		time.Sleep(10 * time.Millisecond)
	}
	return c.Context.Done()
}

// TestCancelledAnywhere: wherever in a call its context ends, the store takes the
// next call. The driver asks for Done before and behind every statement.
func TestCancelledAnywhere(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	if err := s.Create(t.Context(), "a", "f", []store.PlannedTrial{{Index: 0}}); err != nil {
		t.Fatal(err)
	}
	claim, err := s.Claim(t.Context(), "a", time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cancelled := 0
	for at, over := int64(1), false; !over; at++ {
		ctx := &endsAtLook{at: at}
		ctx.Context, ctx.end = context.WithCancel(t.Context())
		err := s.Heartbeat(ctx, claim, time.Now())
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("ended at look %d: %v", at, err)
		}
		if err != nil {
			cancelled++
		}
		if err := s.Heartbeat(t.Context(), claim, time.Now()); err != nil {
			t.Fatalf("after one that ended at look %d: %v", at, err)
		}
		over = ctx.looks.Load() < at
		ctx.end()
	}
	if cancelled < 4 { // before its turn, twice in BEGIN, and before the next statement
		t.Errorf("%d calls were cancelled", cancelled)
	}
	t.Logf("%d calls were cancelled", cancelled)
}

// TestTurn: whoever waits for others to write can stop waiting, and the store is
// as good as before.
func TestTurn(t *testing.T) {
	folder := t.TempDir()
	s := open(t, filepath.Join(folder, "s.sqlite"))
	if err := s.Create(t.Context(), "a", "f", []store.PlannedTrial{{Index: 0}}); err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		if os.Getenv("REQUIRE_LOCKS") != "" {
			t.Fatal(err)
		}
		t.Skipf("this file system has no locks: %v", err)
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := s.Claim(ctx, "a", time.Minute, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	if trials, err := s.Trials(t.Context()); err != nil || len(trials) != 1 {
		t.Errorf("readers wait for writers: %v", err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Claim(t.Context(), "a", time.Minute, time.Now()); err != nil || c == nil || c.Attempt != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

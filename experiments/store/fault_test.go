package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
)

// fullSize asks for tests as large as the promises they prove, which take minutes.
func fullSize() bool { return os.Getenv("FLOWBENCH_STORE_FULL") != "" }

// contents is all that a store holds, as text to compare.
func contents(t testing.TB, s store.Store) string {
	t.Helper()
	ctx := context.Background()
	var text strings.Builder
	add := func(what any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(what)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(raw, '\n'))
	}
	trials, err := s.Trials(ctx)
	add(trials, err)
	for i := range trials {
		attempts, err := s.Attempts(ctx, i)
		add(attempts, err)
	}
	study, err := s.Study(ctx)
	add(study, err)
	suggestions, err := s.Suggestions(ctx)
	add(suggestions, err)
	reports, err := s.Reports(ctx)
	add(reports, err)
	decisions, err := s.Decisions(ctx)
	add(decisions, err)
	control, err := s.Control(ctx)
	add(control, err)
	workers, err := s.Workers(ctx)
	add(workers, err)
	return text.String()
}

// life is what befalls a store, a step for every kind of write. Steps may be
// repeated.
func life() []func(ctx context.Context, s store.Store) error {
	now := time.UnixMilli(1_700_000_000_000)
	var claim *store.Claim
	claimIt := func(ctx context.Context, s store.Store) error {
		c, err := s.Claim(ctx, "a", time.Minute, now)
		if err == nil {
			claim = c
		}
		return err
	}
	finish := func(end store.End) func(context.Context, store.Store) error {
		return func(ctx context.Context, s store.Store) error { return s.Finish(ctx, claim, end, now) }
	}
	plan := make([]store.PlannedTrial, 7)
	for i := range plan {
		plan[i] = store.PlannedTrial{Index: i, Configuration: i, Waits: i == 4}
	}
	value := 0.5
	return []func(context.Context, store.Store) error{
		func(ctx context.Context, s store.Store) error { return s.Create(ctx, "life", "f00d", plan[:6]) },
		claimIt,
		func(ctx context.Context, s store.Store) error { return s.Heartbeat(ctx, claim, now.Add(time.Second)) },
		func(ctx context.Context, s store.Store) error {
			return s.Report(ctx, claim, store.Report{Trial: claim.Trial, Value: &value, At: now})
		},
		func(ctx context.Context, s store.Store) error {
			return s.Decide(ctx, store.Decision{Reason: "last of 3", Against: json.RawMessage(`[1, 2]`), At: now})
		},
		claimIt,
		finish(store.End{State: store.Done, Result: json.RawMessage(`{"ap": 0.5}`)}),
		claimIt,
		finish(store.End{State: store.Failed, Reason: "no luck", Retries: 2}),
		claimIt,
		func(ctx context.Context, s store.Store) error { return s.Release(ctx, claim) },
		claimIt,
		func(ctx context.Context, s store.Store) error {
			_, err := s.ExpireLeases(ctx, now.Add(time.Hour))
			return err
		},
		claimIt,
		func(ctx context.Context, s store.Store) error { return s.ReleaseWorker(ctx, "a") },
		func(ctx context.Context, s store.Store) error {
			return s.Suggest(ctx, store.Suggestion{Configuration: 4, Params: json.RawMessage(`{"x": 1}`), At: now})
		},
		func(ctx context.Context, s store.Store) error { return s.Extend(ctx, "f00d", "beef", plan[6:]) },
		func(ctx context.Context, s store.Store) error { return s.Requeue(ctx, 0) },
		func(ctx context.Context, s store.Store) error {
			return s.SetControl(ctx, store.Control{Stopped: true, Kind: "disk", At: now})
		},
		func(ctx context.Context, s store.Store) error {
			return s.SaveWorker(ctx, store.Worker{Name: "a", Started: now, Heard: now})
		},
	}
}

// undisturbed returns what a store holds after no step of its life, one, ...,
// and how many operations on files there are in all.
func undisturbed(t *testing.T) (states []string, operations int) {
	t.Helper()
	faults.arm(failsOnce, 0)
	s, err := store.OpenSQLiteThrough(filepath.Join(t.TempDir(), "s.sqlite"), faultyName)
	if err != nil {
		t.Fatal(err)
	}
	states = []string{contents(t, s)}
	for i, step := range life() {
		if err := step(t.Context(), s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		states = append(states, contents(t, s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	operations, err = faults.disarm()
	if err != nil || operations < 3*len(states) {
		t.Fatalf("%d operations for %d states (%v)", operations, len(states), err)
	}
	return states, operations
}

// TestFaults lets the k-th operation on files fail, for every k of a store's
// life: once, as on a disk that is full for a moment; for good, as by a kill;
// and for good with all lost that was not synchronised, as by a power cut. What
// is opened after that is the state before the step that was disturbed, or the
// one behind it, and a store that was disturbed once goes on. Without
// FLOWBENCH_STORE_FULL each fault meets a third of the operations, another one each.
func TestFaults(t *testing.T) {
	states, operations := undisturbed(t)
	stride := 3
	if fullSize() {
		stride = 1
	}
	t.Logf("%d states, %d operations, of which each fault meets one in %d", len(states), operations, stride)
	for name, fault := range map[string]fault{"full": failsOnce, "kill": killed, "power": powerCut} {
		t.Run(name, func(t *testing.T) {
			for k := 1 + int(fault)%stride; k <= operations; k += stride {
				if step := disturbed(t, fault, k, states); t.Failed() {
					t.Fatalf("when operation %d of %d failed, in step %d", k, operations, step)
				}
			}
		})
	}
}

// disturbed lives a store's life with a fault at operation k and compares what
// is left of it. It returns how many steps said that they were done.
func disturbed(t *testing.T, fault fault, k int, states []string) (done int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.sqlite")
	faults.arm(fault, k)
	s, err := store.OpenSQLiteThrough(path, faultyName)
	if err != nil && fault == failsOnce {
		s, err = store.OpenSQLiteThrough(path, faultyName)
	}
	if err == nil {
		done = live(t, s, fault == failsOnce, path, states)
		s.Close() // is disturbed, too
	}
	if _, err := faults.disarm(); err != nil {
		t.Fatal(err)
	}
	wantEither(t, path, states, done)
	if fault == failsOnce && done < len(states)-1 {
		t.Errorf("did not go on: %v", err)
	}
	return done
}

// live takes the steps of a store's life until one fails, and that one once
// more where it may be repeated.
func live(t *testing.T, s store.Store, repeat bool, path string, states []string) (done int) {
	t.Helper()
	for _, step := range life() {
		err := step(t.Context(), s)
		if err != nil && repeat {
			wantEither(t, path, states, done)
			err = step(t.Context(), s)
			if err != nil {
				t.Errorf("the disk has room again, but %v", err)
			}
		}
		if err != nil {
			return done
		}
		done++
	}
	return done
}

// wantEither fails where a file does not hold the state behind step done, or
// that behind the next.
func wantEither(t *testing.T, path string, states []string, done int) {
	t.Helper()
	s, err := store.OpenSQLite(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	got := contents(t, s)
	if got == states[done] || done+1 < len(states) && got == states[done+1] {
		return
	}
	t.Errorf("neither the old nor the new state: %s", cmp.Diff(states[done], got))
}

// version1 is a store of tables of version 1, with a trial in every state, as
// the program wrote it that had no others.
const version1 = "testdata/version1.sqlite"

// copyOf is a copy of a file that may be changed.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(copied, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return copied
}

// rowsOf is what a file's tables hold in the columns of version 1.
func rowsOf(t *testing.T, path string) (version int, rows string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRow(`SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT group_concat(json_array(name, fingerprint)) FROM study) || char(10) ||
		(SELECT group_concat(json_array(idx, configuration, replicate, seed, params, state, reason, worker, token, lease_until, attempts, failures, losses, result), char(10)) FROM trial) || char(10) ||
		(SELECT group_concat(json_array(token, idx, attempt, worker, state, reason, started, heard, result), char(10)) FROM attempt)`).Scan(&version, &rows)
	if err != nil {
		t.Fatal(err)
	}
	return version, rows
}

// TestMigration: nothing is lost on the way to the newest tables, in which the
// study goes on.
func TestMigration(t *testing.T) {
	path := copyOf(t, version1)
	version, before := rowsOf(t, path)
	if version != 1 || strings.Count(before, "\n") != 10+11 {
		t.Fatalf("version %d with\n%s", version, before)
	}
	s := open(t, path)
	version, after := rowsOf(t, path)
	if diff := cmp.Diff(before, after); diff != "" || version != 2 {
		t.Errorf("version %d: %s", version, diff)
	}
	trials, err := s.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []store.State{
		store.Done, store.Diverged, store.Pruned, store.Failed, store.Running, store.Stale, store.Planned,
		store.Planned, store.Planned, store.Planned,
	} {
		if got := trials[i]; got.State != want || got.Waits || got.Rung != 0 {
			t.Errorf("trial %d is %+v, want %s", i, got, want)
		}
	}
	c, err := s.Claim(t.Context(), "new", time.Minute, time.UnixMilli(1_700_000_000_000))
	if err != nil || c.Trial != 5 || c.Token != 12 {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := s.Report(t.Context(), c, store.Report{Trial: 5}); err != nil {
		t.Error(err)
	}
	held := contents(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := contents(t, open(t, path)); again != held {
		t.Error(cmp.Diff(held, again))
	}
}

// TestMigrationFaults: whatever happens in the middle of a migration leaves the
// old tables, which are migrated at the next opening, or the new ones.
func TestMigrationFaults(t *testing.T) {
	_, before := rowsOf(t, copyOf(t, version1))
	for name, fault := range map[string]fault{"full": failsOnce, "kill": killed, "power": powerCut} {
		t.Run(name, func(t *testing.T) {
			migrated := false
			for k := 1; !migrated; k++ {
				path := copyOf(t, version1)
				faults.arm(fault, k)
				faults.keep(t, path)
				s, err := store.OpenSQLiteThrough(path, faultyName)
				if err == nil {
					s.Close()
				}
				counted, cutErr := faults.disarm()
				if cutErr != nil {
					t.Fatal(cutErr)
				}
				version, rows := rowsOf(t, path)
				if version != 1 && version != 2 || err == nil && version != 2 || rows != before {
					t.Fatalf("operation %d (%v): version %d, %s", k, err, version, cmp.Diff(before, rows))
				}
				if s, err := store.OpenSQLite(path); err != nil {
					t.Fatalf("operation %d: %v", k, err)
				} else {
					s.Close()
				}
				if version, rows = rowsOf(t, path); version != 2 || rows != before {
					t.Fatalf("operation %d, opened again: version %d, %s", k, version, cmp.Diff(before, rows))
				}
				migrated = counted < k
				if migrated && k < 20 {
					t.Errorf("only %d operations", counted)
				}
			}
		})
	}
}

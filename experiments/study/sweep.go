package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flowbench/experiments/compare"
	"flowbench/experiments/store"
	"flowbench/train"
)

// maxDeaths is how many workers may die in a row, without a trial ending or
// reporting a rung in between, before the sweep gives up: one may run out of memory where the next
// does not, five will not fare better.
const maxDeaths = 5

// Sweep runs what is left of a study in worker processes.
type Sweep struct {
	Study   *Study
	Workers int
	// Command is the program and arguments of a worker, to which its name is
	// added; it works in the study's folder until its standard input ends.
	Command []string
	// Pin, where set, is what the environment of a worker in a slot gets besides,
	// such as the one device that it may see.
	Pin func(slot int) []string
	// Stderr gets what workers say, from several goroutines at once.
	Stderr io.Writer
	// Watch, where set, sees the trials' states about three times a second.
	Watch func(Progress)
}

// Run trains every trial that has not ended, and writes and returns the
// comparison. When ctx ends, workers put their trials back, and the error is
// ctx's; the same study can be run again. Where the study is stopped, as when its
// budget is spent, the error is a *store.StoppedError and the comparison is of
// what has ended.
func (s *Sweep) Run(ctx context.Context) (*compare.Table, error) {
	if err := s.Study.begin(ctx); err != nil {
		return nil, err
	}
	over, err := s.Study.over(ctx)
	if err != nil {
		return nil, err
	}
	if !over {
		if err := s.train(ctx); err != nil {
			return nil, err
		}
	}
	return s.Study.finish(ctx)
}

// begin allows claims, which an earlier sweep may have stopped, and puts back
// what dead workers of this machine hold.
func (s *Study) begin(ctx context.Context) error {
	if err := s.Store.SetControl(ctx, store.Control{At: time.Now()}); err != nil {
		return err
	}
	return s.requeueOrphans(ctx)
}

// finish writes and returns the comparison, drops what only trials that will
// never go on would need, and says why the study is stopped, if it is.
func (s *Study) finish(ctx context.Context) (*compare.Table, error) {
	if err := s.dropPruned(ctx); err != nil {
		return nil, err
	}
	table, err := s.Comparison(ctx)
	if err != nil {
		return nil, err
	}
	if err := explain(s.writeComparison(table)); err != nil {
		return nil, err
	}
	over, err := s.over(ctx)
	if err != nil || over {
		return table, err
	}
	c, err := s.Store.Control(ctx)
	if err == nil && c.Stopped {
		err = &store.StoppedError{Control: c}
	}
	return table, err
}

// dropPruned removes the checkpoints of pruned trials.
func (s *Study) dropPruned(ctx context.Context) error {
	if s.Plan.pruner == nil {
		return nil
	}
	trials, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	for _, t := range trials {
		if t.State != store.Pruned {
			continue
		}
		if err := train.RemoveCheckpoints(s.trialDir(t.Index)); err != nil {
			return err
		}
	}
	return nil
}

// train keeps Workers processes alive until every trial has ended.
func (s *Sweep) train(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(ctx)
	}()
	died := &deaths{}
	var sound atomic.Int32 // slots whose device is not in quarantine
	sound.Store(int32(s.Workers))
	failures := make(chan error, s.Workers)
	for slot := range s.Workers {
		go func() { failures <- s.keepWorker(ctx, slot, died, &sound) }()
	}
	var first error
	for range s.Workers {
		if err := <-failures; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	cancel()
	<-watched
	return first
}

// keepWorker runs one worker after another until one ends by itself, which it
// does when every trial has ended. What a dead one had claimed goes back.
func (s *Sweep) keepWorker(ctx context.Context, slot int, died *deaths, sound *atomic.Int32) error {
	faults := 0 // of this slot's device, since its worker last ended a trial
	for life := 0; ; life++ {
		name := WorkerName(slot, life)
		err := s.runWorker(ctx, name, slot)
		if err == nil {
			return nil
		}
		if err := s.Study.Store.ReleaseWorker(context.WithoutCancel(ctx), name); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == MachineExit {
			return fmt.Errorf("worker %s could not go on, and said above why", name)
		}
		n, countErr := s.Study.advanced(ctx)
		if countErr != nil {
			return countErr
		}
		if errors.As(err, &exit) && exit.ExitCode() == DeviceExit {
			did, err := s.Study.endedBy(ctx, name)
			if err != nil {
				return err
			}
			if did > 0 {
				faults = 0
			}
			if faults++; faults == maxFaults {
				return s.quarantine(slot, sound)
			}
		}
		if died.another(n) >= maxDeaths {
			return fmt.Errorf("%d workers died in a row, the last one of: %w; what they said is above, and in trials/*/log.txt of %s", maxDeaths, err, s.Study.Dir)
		}
		fmt.Fprintf(s.Stderr, "worker %s died (%v); its trial goes back to the plan\n", name, err)
	}
}

// quarantine leaves a slot's device out: an error where it was the last one.
func (s *Sweep) quarantine(slot int, sound *atomic.Int32) error {
	err := fmt.Errorf("the device of worker %d failed %d times in a row and is left out; what it said is above", slot, maxFaults)
	if sound.Add(-1) == 0 {
		return err
	}
	fmt.Fprintln(s.Stderr, err)
	return nil
}

// deaths counts the workers, of all slots, that died since a trial last ended or
// reported a rung.
type deaths struct {
	mu              sync.Mutex
	count, advanced int
}

// another counts a death at a time when the study has advanced so far.
func (d *deaths) another(advanced int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if advanced > d.advanced {
		d.count, d.advanced = 0, advanced
	}
	d.count++
	return d.count
}

// environment gives each worker its share of the processors, unless whoever
// started the sweep has said how many threads to use: more threads than
// processors only wait for each other. Results do not depend on it.
func (s *Sweep) environment(slot int) []string {
	environment := os.Environ()
	if os.Getenv("GOMAXPROCS") == "" {
		environment = append(environment, fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/s.Workers)))
	}
	if s.Pin != nil {
		environment = append(environment, s.Pin(slot)...)
	}
	return environment
}

// runWorker starts one process and waits for its end. The thread is held for
// that long because the kernel ties a child's death signal to the thread that
// started it.
func (s *Sweep) runWorker(ctx context.Context, name string, slot int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, s.Command[0], slices.Concat(s.Command[1:], []string{name})...)
	cmd.Stdout, cmd.Stderr = s.Stderr, s.Stderr
	cmd.Env = s.environment(slot)
	dieWithParent(cmd)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second // for a worker that does not answer
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return cmd.Wait()
}

// WorkerName names the life of a worker in a slot of this process.
func WorkerName(slot, life int) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s/%d/%d.%d", host, os.Getpid(), slot, life)
}

// advanced counts the ends and the rungs that trials have reached.
func (s *Study) advanced(ctx context.Context) (int, error) {
	trials, err := s.Store.States(ctx)
	n := 0
	for _, t := range trials {
		n += t.Rung
		if t.State.Ended() {
			n++
		}
	}
	return n, err
}

// ended counts the trials that have ended.
func (s *Study) ended(ctx context.Context) (int, error) { return s.endedBy(ctx, "") }

// endedBy counts those that a worker ended; no name means every worker.
func (s *Study) endedBy(ctx context.Context, worker string) (int, error) {
	trials, err := s.Store.States(ctx)
	n := 0
	for _, t := range trials {
		if t.State.Ended() && (worker == "" || t.Worker == worker) {
			n++
		}
	}
	return n, err
}

// RetryFailed puts the trials that failed back into the plan, and returns how many.
func (s *Study) RetryFailed(ctx context.Context) (int, error) {
	trials, err := s.Store.States(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, t := range trials {
		if t.State != store.Failed {
			continue
		}
		if err := s.Store.Requeue(ctx, t.Index); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// requeueOrphans puts back the trials whose worker belonged to a sweep on this
// machine that is no more. Claims of other machines end with their lease.
func (s *Study) requeueOrphans(ctx context.Context) error {
	trials, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for _, t := range trials {
		parts := strings.Split(t.Worker, "/")
		if t.State != store.Running || len(parts) != 3 || parts[0] != host {
			continue
		}
		pid, err := strconv.Atoi(parts[1])
		if err != nil || pid != os.Getpid() && alive(pid) {
			continue
		}
		if err := s.Store.ReleaseWorker(ctx, t.Worker); err != nil {
			return err
		}
	}
	return nil
}

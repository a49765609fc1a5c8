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
	"syscall"
	"time"

	"flowbench/experiments/compare"
	"flowbench/experiments/store"
)

// maxDeaths is how many workers may die in a row, without a trial ending in
// between, before the sweep gives up: one may run out of memory where the next
// does not, five will not fare better.
const maxDeaths = 5

// Sweep runs what is left of a study in worker processes.
type Sweep struct {
	Study   *Study
	Workers int
	// Command is the program and arguments of a worker, to which its name is
	// added; it works in the study's folder until its standard input ends.
	Command []string
	// Stderr gets what workers say, from several goroutines at once.
	Stderr io.Writer
	// Watch, where set, sees the trials' states about three times a second.
	Watch func(Progress)
}

// Run trains every trial that has not ended, and writes and
// returns the comparison. When ctx ends, workers put their trials back, and the
// error is ctx's; the same study can be run again.
func (s *Sweep) Run(ctx context.Context) (*compare.Table, error) {
	if err := s.Study.requeueOrphans(ctx); err != nil {
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
	table, err := s.Study.Comparison(ctx)
	if err != nil {
		return nil, err
	}
	return table, explain(s.Study.writeComparison(table))
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
	deaths := &deaths{}
	failures := make(chan error, s.Workers)
	for slot := range s.Workers {
		go func() { failures <- s.keepWorker(ctx, slot, deaths) }()
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
func (s *Sweep) keepWorker(ctx context.Context, slot int, deaths *deaths) error {
	for life := 0; ; life++ {
		name := WorkerName(slot, life)
		err := s.runWorker(ctx, name)
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
		n, countErr := s.Study.ended(ctx)
		if countErr != nil {
			return countErr
		}
		if deaths.another(n) >= maxDeaths {
			return fmt.Errorf("%d workers died in a row, the last one of: %w; what they said is above, and in trials/*/log.txt of %s", maxDeaths, err, s.Study.Dir)
		}
		fmt.Fprintf(s.Stderr, "worker %s died (%v); its trial goes back to the plan\n", name, err)
	}
}

// deaths counts the workers, of all slots, that died since a trial last ended.
type deaths struct {
	mu           sync.Mutex
	count, ended int
}

// another counts a death at a time when that many trials have ended.
func (d *deaths) another(ended int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ended > d.ended {
		d.count, d.ended = 0, ended
	}
	d.count++
	return d.count
}

// environment gives each worker its share of the processors, unless whoever
// started the sweep has said how many threads to use: more threads than
// processors only wait for each other. Results do not depend on it.
func (s *Sweep) environment() []string {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil // a command without one inherits ours
	}
	return append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/s.Workers)))
}

// runWorker starts one process and waits for its end. The thread is held for
// that long because the kernel ties a child's death signal to the thread that
// started it.
func (s *Sweep) runWorker(ctx context.Context, name string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, s.Command[0], slices.Concat(s.Command[1:], []string{name})...)
	cmd.Stdout, cmd.Stderr = s.Stderr, s.Stderr
	cmd.Env = s.environment()
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

// ended counts the trials that have ended.
func (s *Study) ended(ctx context.Context) (int, error) {
	trials, err := s.Store.Trials(ctx)
	n := 0
	for _, t := range trials {
		if t.State.Ended() {
			n++
		}
	}
	return n, err
}

// RetryFailed puts the trials that failed back into the plan, and returns how many.
func (s *Study) RetryFailed(ctx context.Context) (int, error) {
	trials, err := s.Store.Trials(ctx)
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
	trials, err := s.Store.Trials(ctx)
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

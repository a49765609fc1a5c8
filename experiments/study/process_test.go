package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowbench/experiments/spec"
	"flowbench/experiments/tensorboard"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// The test binary is also the programs that tests start and kill: a sweep, and
// its workers. What follows steers those.
const (
	restVariable  = "FLOWBENCH_TEST_REST"  // how long a worker rests before every step, such as 2ms
	holdVariable  = "FLOWBENCH_TEST_HOLD"  // the file that a worker waits for before every step
	leaseVariable = "FLOWBENCH_TEST_LEASE" // the lease of a worker's claims, such as 300ms
	faultVariable = "FLOWBENCH_TEST_FAULT" // how a worker misbehaves, see misbehave
	limitVariable = "FLOWBENCH_TEST_LIMIT" // the largest file in bytes that a sweep and its workers may write
)

// killSpec takes every path of a checkpoint.
const killSpec = "testdata/kill.yaml"

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || !strings.HasSuffix(os.Args[1], "-process") {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch role, args := os.Args[1], os.Args[2:]; role {
	case "sweep-process":
		err = sweepProcess(ctx, args)
	case "worker-process":
		err = workerProcess(ctx, args)
	case "idle-process":
		io.Copy(io.Discard, os.Stdin)
	}
	var machine *MachineError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &machine):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(MachineExit)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// sweepProcess is flowbench sweep; args are the spec, the folder, the number of
// workers, and assignments to the spec.
func sweepProcess(ctx context.Context, args []string) error {
	if err := limitFiles(os.Getenv(limitVariable)); err != nil {
		return err
	}
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	s, err := spec.Load(args[0], args[3:]...)
	if err != nil {
		return err
	}
	sweep, err := newSweep(ctx, s, args[1], workers, os.Stderr)
	if err != nil {
		return err
	}
	defer sweep.Study.Close()
	_, err = sweep.Run(ctx)
	return err
}

// limitFiles bounds the files that this process and its children write.
func limitFiles(bytes string) error {
	if bytes == "" {
		return nil
	}
	n, err := strconv.ParseUint(bytes, 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", limitVariable, err)
	}
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: n})
}

// newSweep is a sweep of s in dir, its flows prepared, whose workers are worker processes.
func newSweep(ctx context.Context, s *spec.Spec, dir string, workers int, stderr io.Writer) (*Sweep, error) {
	plan, err := NewPlan(s)
	if err != nil {
		return nil, err
	}
	st, err := Create(dir, s, plan, "")
	if err != nil {
		return nil, err
	}
	if _, err := st.Prepare(ctx, nil); err != nil {
		st.Close()
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		st.Close()
		return nil, err
	}
	return &Sweep{Study: st, Workers: workers, Command: []string{program, "worker-process", dir}, Stderr: stderr}, nil
}

// workerProcess is flowbench worker; args are the study's folder and the worker's name.
func workerProcess(ctx context.Context, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	st, err := Open(args[0])
	if err != nil {
		return err
	}
	defer st.Close()
	w := &Worker{Study: st, Name: args[1], Backend: cpu.New(), Say: func(line string) { fmt.Fprintln(os.Stderr, line) }}
	if rest, err := time.ParseDuration(os.Getenv(restVariable)); err == nil {
		w.Backend = slowed{w.Backend, func() { time.Sleep(rest) }}
	}
	if path := os.Getenv(holdVariable); path != "" {
		w.Backend = slowed{w.Backend, func() { untilThere(path) }}
	}
	if lease, err := time.ParseDuration(os.Getenv(leaseVariable)); err == nil {
		w.Lease = lease
	}
	if fault := os.Getenv(faultVariable); fault != "" {
		return misbehave(ctx, w, fault)
	}
	return w.Work(ctx)
}

// untilThere waits for a file.
func untilThere(path string) {
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// deathCode is what a worker that misbehaves exits with.
const deathCode = 7

// misbehave is a worker that dies at once, that dies with a trial in hand, that
// dies after every trial, or that the machine refuses something.
func misbehave(ctx context.Context, w *Worker, fault string) (err error) {
	set, err := w.Study.flows(ctx)
	if err != nil {
		return err
	}
	w.datasets, w.halt, w.ration = &datasets{set: set}, newHalt(), newRation(w.Backend)
	if fault == "at once" {
		os.Exit(deathCode)
	}
	claim, err := w.Study.Store.Claim(ctx, w.Name, leaseTime, time.Now())
	if err != nil || claim == nil {
		return err
	}
	switch fault {
	case "in hand":
		os.Exit(deathCode)
	case "machine":
		os.Exit(MachineExit)
	case "device":
		os.Exit(DeviceExit)
	}
	if err := w.serve(ctx, claim, &slots{open: 1}); err != nil {
		return err
	}
	os.Exit(deathCode)
	return nil
}

// slowed is a backend that rests before every step of training, so that a test
// finds it at work.
type slowed struct {
	kernels.Backend
	rest func()
}

func (s slowed) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := s.Backend.Compile(p)
	return slowedMachine{m, s.rest}, err
}

type slowedMachine struct {
	kernels.Machine
	rest func()
}

func (m slowedMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	m.rest()
	return m.Machine.Train(b)
}

// process is a sweep that a test has started.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	said *output
	end  chan struct{} // closed after its exit
}

// output is what a process said; it may be read while it speaks.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startSweep starts a sweep process; environment lists variable=value.
func startSweep(t *testing.T, specPath, dir string, workers int, set []string, environment ...string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, said: &output{}, end: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{"sweep-process", specPath, dir, strconv.Itoa(workers)}, set...)...)
	p.cmd.Env = append(os.Environ(), environment...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	// A worker that outlives its sweep holds the pipe of its words for a moment.
	p.cmd.WaitDelay = time.Minute
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() {
		p.cmd.Wait() // its error is in ProcessState
		close(p.end)
	}()
	return p
}

// hangTime is after how long a sweep is taken to hang: those of the tests are over
// in a minute on an idle machine.
const hangTime = 10 * time.Minute

// wait waits for the end and returns the exit code, -1 for a process that was
// killed. One that hangs fails the test with what its goroutines do.
func (p *process) wait() int {
	p.t.Helper()
	p.waitFor(hangTime)
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) waitFor(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.end:
		return
	case <-time.After(limit):
	}
	// The workers first: they are killed as soon as their sweep ends.
	for _, pid := range childrenOf(p.t, p.cmd.Process.Pid) {
		syscall.Kill(pid, syscall.SIGQUIT)
	}
	time.Sleep(time.Second)
	p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.end:
	case <-time.After(10 * time.Second):
	}
	p.t.Fatalf("the sweep has not ended after %v:\n%s", limit, p.said)
}

// runSweep runs a sweep process that must succeed.
func runSweep(t *testing.T, specPath, dir string, workers int, set []string, environment ...string) {
	t.Helper()
	p := startSweep(t, specPath, dir, workers, set, environment...)
	if code := p.wait(); code != 0 {
		t.Fatalf("sweep with %d workers: exit code %d:\n%s", workers, code, p.said)
	}
}

func openStudy(t *testing.T, dir string) *Study {
	t.Helper()
	st, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// kept is every file of a study that must not depend on what was killed on the
// way, by its path.
func kept(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch name := e.Name(); {
		case strings.HasPrefix(name, storeName), name == lockName, name == "log.txt", name == deviceName, name == tensorboard.FileName:
			return nil // times, processes and attempts
		}
		raw, err := os.ReadFile(path)
		relative, _ := filepath.Rel(dir, path)
		files[relative] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// oneReplicate is killSpec with a third of its trials.
func oneReplicate(t *testing.T) string { return killSpecWith(t, "replicates: 3", "replicates: 1") }

// killSpecWith is killSpec with one line changed.
func killSpecWith(t *testing.T, line, changed string) string {
	t.Helper()
	raw, err := os.ReadFile(killSpec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "spec.yaml")
	text := strings.Replace(string(raw), line, changed, 1)
	if text == string(raw) {
		t.Fatalf("%s has no line %q", killSpec, line)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// calm is what a sweep of killSpec keeps that nobody disturbs. It is swept once.
func calm(t *testing.T) map[string]string {
	t.Helper()
	undisturbed.Do(func() {
		dir := filepath.Join(t.TempDir(), "calm")
		runSweep(t, killSpec, dir, 2, nil)
		undisturbed.files = kept(t, dir)
	})
	return undisturbed.files
}

var undisturbed struct {
	sync.Once
	files map[string]string
}

// wantSame compares what two sweeps kept.
func wantSame(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("nothing to compare with")
	}
	for name, content := range want {
		if other, ok := got[name]; !ok {
			t.Errorf("%s: %s is missing", what, name)
		} else if other != content {
			t.Errorf("%s: %s differs", what, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is there as well", what, name)
		}
	}
}

package study

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"flowbench/experiments/store"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// small is a backend with a memory of its own, of which every Machine takes 30.
type small struct {
	kernels.Backend
	mu         sync.Mutex
	free, most int64
	users      int
	machines   int       // that were ever made
	met        sync.Once // the machine that has waited for another beside it
	maxUsers   int
}

func (s *small) Memory() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free, nil
}

func (s *small) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := s.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free < 30 {
		return nil, errors.New("out of memory")
	}
	s.free -= 30
	s.users++
	s.machines++
	s.maxUsers = max(s.maxUsers, s.users)
	return &smallMachine{m, s, s.machines == 1}, nil
}

type smallMachine struct {
	kernels.Machine
	of    *small
	first bool // beside which there is none, since nobody knows yet what one needs
}

// Train rests, so that trials lie side by side: once until they do.
func (m *smallMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	time.Sleep(2 * time.Millisecond)
	if !m.first {
		m.of.met.Do(m.of.untilTwo)
	}
	return m.Machine.Train(b)
}

// untilTwo waits until two machines are in use, or for 5 s, so that the test
// decides.
func (s *small) untilTwo() {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		users := s.users
		s.mu.Unlock()
		if users > 1 {
			return
		}
	}
}

func (m *smallMachine) Close() error {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.of.free += 30
	m.of.users--
	return m.Machine.Close()
}

// TestSlotsAreRationed: of eight slots several train at once, but no more than the
// memory holds, and none fails for lack of it.
func TestSlotsAreRationed(t *testing.T) {
	st := preparedStudy(t, "sweep.replicates=6")
	device := &small{Backend: cpu.New(), free: 100} // three of 30, and a tenth more for the next
	w := &Worker{Study: st, Name: "w", Backend: device, Slots: 8}
	if err := w.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	trials, err := st.Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range trials {
		if trial.State != store.Done || trial.Failures > 0 {
			t.Errorf("trial %d is %s after %d failures: %s", trial.Index, trial.State, trial.Failures, trial.Reason)
		}
	}
	if device.maxUsers < 2 || device.maxUsers > 3 {
		t.Errorf("%d trials trained at once at most, memory holds 3", device.maxUsers)
	}
}

func TestFirstTrialIsMeasuredAlone(t *testing.T) {
	device := &small{free: 100}
	r := newRation(device)
	if ok, err := r.enter(); !ok || err != nil {
		t.Fatalf("the first trial: %v, %v", ok, err)
	}
	if ok, _ := r.enter(); ok {
		t.Error("a second trial was admitted before the first was measured")
	}
	device.free = 60
	r.observe() // 40 needed
	if ok, _ := r.enter(); !ok {
		t.Error("60 free are enough for 44")
	}
	device.free = 43
	if ok, _ := r.enter(); ok {
		t.Error("43 free are too few for 44")
	}
	r.leave()
	r.leave()
	if ok, _ := r.enter(); !ok {
		t.Error("an idle device must always admit one")
	}
}

// TestAdmittedTrialsKeepTheirShare: memory that an admitted trial has not taken
// yet, or gave back between two networks, is not given to another.
func TestAdmittedTrialsKeepTheirShare(t *testing.T) {
	device := &small{free: 100}
	r := newRation(device)
	r.enter()
	device.free = 70
	r.observe() // 30 needed
	for want, free := range []int64{70, 70, 100} {
		device.free = free
		if ok, _ := r.enter(); ok != (want < 2) {
			t.Errorf("with %d free and %d in training, another one: %v", free, want+1, ok)
		}
	}
}

// TestDeviceIsHeldByOne: a second holder waits until the first gives it back.
func TestDeviceIsHeldByOne(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	quiet := func(string) {}
	release, err := HoldDevice(t.Context(), "GPU-1/2", quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	said := ""
	if _, err := HoldDevice(ctx, "GPU-1/2", func(line string) { said = line }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holder: %v", err)
	}
	if said == "" {
		t.Error("it does not say whom it waits for")
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	again, err := HoldDevice(t.Context(), "GPU-1/2", quiet)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

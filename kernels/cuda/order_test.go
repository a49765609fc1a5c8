//go:build emu || gpu

package cuda_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// multiples is n table rows, the numbers from first on in steps.
func multiples(n, first, step int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(first + step*i)
	}
	return rows
}

// tb is what testing.T and rapid.T have in common here.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// sameOrder draws o on the device and holds every place against kernels.Order.
func sameOrder(t tb, b *cuda.Backend, o *kernels.Order) {
	t.Helper()
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	e, err := b.NewEpoch(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Draw(1); err != nil {
		t.Fatal(err)
	}
	got, err := e.Rows()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	want := make([]int32, o.Len())
	o.Fill(want, 0)
	for i, row := range got {
		if row != want[i] {
			t.Fatalf("place %d of %d rows, %d of %d positives dealt, batch %d, seed %#x, epoch %d: row %d, want %d",
				i, len(o.Rows), o.Dealt, len(o.Positives), o.Batch, o.Seed, o.Epoch, row, want[i])
		}
	}
}

// The lengths are where a Shuffle is special: short lists, powers of two and their
// neighbours, primes, and the training flows of the reference.
func TestOrderEqualsHost(t *testing.T) {
	lengths := []int{1, 2, 3, 5, 19, 63, 64, 65, 97, 127, 128, 129, 989, 1021, 1<<12 - 1, 1 << 12, 1<<12 + 1, 1<<16 - 1, 1 << 16, 1<<16 + 1, 818484}
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		for _, n := range lengths {
			rows := multiples(n, 7, 2)
			for i, seed := range []uint64{0, 1, 1<<63 + 12345, 1<<64 - 1} {
				if n > 1<<16 && i != 2 {
					continue
				}
				sameOrder(t, b, &kernels.Order{Rows: rows, Batch: 1024, Seed: seed, Epoch: uint64(i) * 1234567890})
			}
			if n <= 1<<12 {
				o := &kernels.Order{Rows: rows, Positives: multiples(n%5+1, 8, 2), Batch: 16, Seed: 5, Epoch: 1<<32 - 1}
				o.Dealt = n/15 + 1
				sameOrder(t, b, o)
			}
		}
	})
}

// Any order must be the host's.
func TestAnyOrderEqualsHost(t *testing.T) {
	device := newDevice(t)
	b := cuda.New(device)
	rapid.Check(t, func(t *rapid.T) {
		o := &kernels.Order{
			Rows:  multiples(rapid.IntRange(0, 700).Draw(t, "rows"), 0, 3),
			Batch: rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 1<<62)).Draw(t, "batch"),
			Seed:  rapid.Uint64().Draw(t, "seed"),
			Epoch: rapid.Uint64Range(0, 1<<32-1).Draw(t, "epoch"),
		}
		if n := rapid.IntRange(0, 90).Draw(t, "positives"); n > 0 {
			o.Positives = multiples(n, 1, 3)
			o.Dealt = rapid.IntRange(1, 300).Draw(t, "dealt")
		}
		if o.Len() == 0 {
			t.Skip("nothing to put in order")
		}
		sameOrder(t, b, o)
	})
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

// Steps whose rows an order gives must be those whose rows are given, in both plans:
// one by one, in several launches, and in one that goes from an epoch to the next.
func TestOrderedStepsEqualGiven(t *testing.T) {
	for name, p := range models {
		d := flows(78)
		ordered := orderedSteps(9)
		given := slices.Clone(ordered)
		for i, s := range ordered {
			given[i].Rows, given[i].Order, given[i].First, given[i].Count = s.TableRows(make([]int32, s.Count)), nil, 0, 0
		}
		t.Run(name, func(t *testing.T) {
			onDevice(t, func(t *testing.T, b *cuda.Backend) {
				for _, plan := range []string{"layers", "fleet"} {
					run := func(list []kernels.Batch, together int) ([]kernels.StepResult, []float32) {
						m := trained(t, b, p, d, 3)
						results := make([]kernels.StepResult, len(list))
						for from := 0; from < len(list); from += together {
							to := min(from+together, len(list))
							if plan == "fleet" {
								copy(results[from:to], train(t, b, []kernels.Machine{m}, [][]kernels.Batch{list[from:to]})[0])
							} else if err := m.(kernels.Sequencer).TrainAll(list[from:to], results[from:to]); err != nil {
								t.Fatal(err)
							}
						}
						end := parameters(t, p, m)
						closeAll(t, m)
						return results, end
					}
					wantResults, want := run(given, len(given))
					for _, together := range []int{1, 4, len(ordered)} {
						results, got := run(ordered, together)
						if !slices.Equal(results, wantResults) {
							t.Errorf("%s, %d steps at once: %+v, want %+v", plan, together, results, wantResults)
						}
						sameBits(t, got, want)
					}
				}
			})
		})
	}
}

// orderedSteps are n steps through stratified epochs of the table, whose last batch
// is a short one.
func orderedSteps(n int) []kernels.Batch {
	const batch, length = 48, 160
	rows, positives := multiples(150, 1, 1), multiples(7, 151, 7)
	var list []kernels.Batch
	for i := range n {
		o := &kernels.Order{Rows: rows, Positives: positives, Dealt: length - len(rows), Batch: batch, Seed: 3, Epoch: uint64(i / 4)}
		first := i % 4 * batch
		list = append(list, kernels.Batch{
			Order: o, First: first, Count: min(batch, length-first), Step: uint64(i + 1), Seed: 4, LearningRate: 1e-3,
		})
	}
	return list
}

// bus is a Driver that notes what is sent to the device, and when a step starts.
type bus struct {
	cuda.Driver
	sent  []int // bytes of each copy to the device
	steps int   // replays and launches so far
	late  int   // copies to the device behind the first of them
}

func (b *bus) forget() { b.sent, b.steps, b.late = nil, 0, 0 }

func (b *bus) CopyIn(dst cuda.Pointer, src []byte) error {
	b.sent = append(b.sent, len(src))
	if b.steps > 0 {
		b.late++
	}
	return b.Driver.CopyIn(dst, src)
}

func (b *bus) Launch(l cuda.Launch) error {
	b.steps++
	return b.Driver.Launch(l)
}

func (b *bus) Record(launches []cuda.Launch) (cuda.Graph, error) {
	g, err := b.Driver.Record(launches)
	return &busGraph{g, b}, err
}

type busGraph struct {
	cuda.Graph
	bus *bus
}

func (g *busGraph) Replay() error {
	g.bus.steps++
	return g.Graph.Replay()
}

// What is sent for a call that takes many steps of an epoch does not grow with the
// rows of a batch, is sent before the first step, and holds no list that an earlier
// call, or another machine, has sent.
func TestStepsSendNothing(t *testing.T) {
	const stepBytes = 128 // more than what a step's seed, number, rates and place take
	p, d := kernelstest.DNN(48), flows(78)
	o := &kernels.Order{Rows: multiples(tableRows, 0, 1), Batch: 48, Seed: 3}
	next := func(n int) (list []kernels.Batch) {
		for i := range n {
			list = append(list, kernels.Batch{Order: o, First: i % 4 * 48, Count: 48, Step: uint64(i + 1), Seed: 4, LearningRate: 1e-3})
		}
		return list
	}
	device := &bus{Driver: newDevice(t)}
	b := cuda.New(device)
	first, second := trained(t, b, p, d, 1), trained(t, b, p, d, 1)
	f, err := b.NewFleet([]kernels.Machine{second})
	if err != nil {
		t.Fatal(err)
	}
	run := map[string]func([]kernels.Batch) error{
		"layers": func(list []kernels.Batch) error {
			return first.(kernels.Sequencer).TrainAll(list, make([]kernels.StepResult, len(list)))
		},
		"fleet": func(list []kernels.Batch) error {
			_, err := f.Train([][]kernels.Batch{list})
			return err
		},
	}
	for turn, plan := range []string{"layers", "fleet"} {
		device.forget()
		if err := run[plan](next(3)); err != nil {
			t.Fatal(err)
		}
		if lists := len(device.sent) - len(slices.DeleteFunc(slices.Clone(device.sent), func(n int) bool { return n == 4*tableRows })); lists != 1-turn {
			t.Errorf("%s: the list was sent %d times, want once in all", plan, lists)
		}
		var before []int
		for _, n := range []int{3, 12, 12} {
			device.forget()
			if err := run[plan](next(n)); err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, bytes := range device.sent {
				total += bytes
			}
			if device.late > 0 || before != nil && len(device.sent) != len(before) {
				t.Errorf("%s: %d steps send %v, %d of them behind the first step; 3 send %v", plan, n, device.sent, device.late, before)
			}
			if most := n*stepBytes + 4096; total > most {
				t.Errorf("%s: %d steps send %d bytes, want at most %d", plan, n, total, most)
			}
			before = slices.Clone(device.sent)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	closeAll(t, first, second)
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

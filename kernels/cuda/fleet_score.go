package cuda

import (
	"errors"
	"fmt"

	"flowbench/kernels"
)

// Predict is kernels.Machine's, for all Machines at once: dst[i] gets what machine
// i says of rows[i].
func (f *Fleet) Predict(rows [][]int32, dst [][]float32) error {
	if len(rows) != len(f.machines) || len(dst) != len(f.machines) {
		return fmt.Errorf("cuda: rows for %d machines and room for %d, want %d", len(rows), len(dst), len(f.machines))
	}
	for i, m := range f.machines {
		if err := m.checkPredict(rows[i], dst[i]); err != nil {
			return fmt.Errorf("machine %d: %w", i, err)
		}
	}
	f.backend.turn.Lock()
	defer f.backend.turn.Unlock()
	return f.scoreAll(rows, dst)
}

// scoreAll scores all rows in one launch, or in as few as memory has room for.
func (f *Fleet) scoreAll(rows [][]int32, dst [][]float32) error {
	counts, cols := make([]int, len(rows)), make([]int, len(rows))
	for i, m := range f.machines {
		counts[i], cols[i] = len(rows[i]), m.program.Buffers[m.program.Output].Cols
	}
	passes := newPasses(counts)
	for {
		part := passes.next(counts, func(i, _, n int) int {
			if s := f.machines[i].stream; s != nil {
				return min(n, s.rows)
			}
			return n
		})
		if part == nil {
			return nil
		}
		some, room := make([][]int32, len(rows)), make([][]float32, len(rows))
		for i, n := range part {
			from := passes.done[i]
			some[i], room[i] = rows[i][from:from+n], dst[i][from*cols[i]:(from+n)*cols[i]]
		}
		err := f.score(some, room)
		if err != nil && outOfMemory(err) && f.shrink(passes, part, planFewerRows, err) {
			continue
		}
		if err != nil {
			return err
		}
		for i, n := range part {
			passes.done[i] += n
		}
	}
}

// score launches the kernel once, for machines that have rows.
func (f *Fleet) score(rows [][]int32, dst [][]float32) error {
	var trials []fleetTrial
	c := &f.cargo
	c.empty()
	most, outputs := 0, 0
	var sent [][]int32
	var into [][]float32
	for i, m := range f.machines {
		if len(rows[i]) == 0 {
			continue
		}
		local, err := m.localRows(rows[i])
		if err != nil {
			return err
		}
		t := f.plans[i]
		t.count, t.rows, t.output = int32(len(local)), reserve[int32](c, len(local)), Pointer(4*outputs)
		t.x, _ = m.source()
		most = max(most, blocks(len(local), int(t.tile)))
		sent, into, trials = append(sent, local), append(into, dst[i]), append(trials, t)
		outputs += len(dst[i])
	}
	list, output := reserve[fleetTrial](c, len(trials)), c.end()
	base, err := f.room(int(output) + 4*outputs)
	if err != nil {
		return err
	}
	c.pack()
	for i := range trials {
		t := &trials[i]
		copy(within[int32](c, t.rows, len(sent[i])), sent[i])
		t.rows, t.output = t.rows+base, t.output+base+output
	}
	copy(within[fleetTrial](c, list, len(trials)), trials)
	driver := f.backend.driver
	if err := driver.CopyIn(base, c.bytes()); err != nil {
		return err
	}
	f.launched("fleet_score", func(i int) bool { return len(rows[i]) > 0 })
	parts := min(most, blocks(2*driver.Device().Processors, len(trials)))
	err = driver.Launch(Launch{
		Kernel: "fleet_score", Grid: [3]int{parts, len(trials), 1}, Block: fleetThreads, Shared: f.shared,
		Args: bytesOf([]fleetArgs{{trials: base + list, parts: int32(parts)}}),
	})
	if err != nil {
		return err
	}
	for i := range trials {
		if err := driver.CopyOut(bytesOf(into[i]), trials[i].output); err != nil {
			return err
		}
	}
	return nil
}

// checkPredict says why rows cannot be scored into dst.
func (m *machine) checkPredict(rows []int32, dst []float32) error {
	if m.closed {
		return errClosed
	}
	if err := m.program.CheckPredict(rows, dst, m.data); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// Predict waits for the device and scores together with whoever waits as well.
func (m *groupMachine) Predict(rows []int32, dst []float32) error {
	if len(rows) == 0 {
		return m.machine.Predict(rows, dst)
	}
	return m.group.submit(&request{machine: m.machine, rows: rows, dst: dst})
}

// scoreFleet scores for those who wait with rows.
func (g *Group) scoreFleet(list []*request) error {
	if len(list) == 0 {
		return nil
	}
	f, err := g.NewFleet(machinesOf(list))
	if half := g.half(list, err); half > 0 {
		return errors.Join(g.scoreFleet(list[:half]), g.scoreFleet(list[half:]))
	}
	if err != nil {
		return err
	}
	rows, dst := make([][]int32, len(list)), make([][]float32, len(list))
	for i, r := range list {
		rows[i], dst[i] = r.rows, r.dst
	}
	return errors.Join(f.Predict(rows, dst), f.Close())
}

func machinesOf(list []*request) []kernels.Machine {
	machines := make([]kernels.Machine, len(list))
	for i, r := range list {
		machines[i] = r.machine
	}
	return machines
}

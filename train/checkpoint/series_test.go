package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"flowbench/train/checkpoint"
	"flowbench/train/checkpoint/disktest"
)

// moment is a checkpoint that says which it is wherever it says anything.
func moment(n int, best *checkpoint.File) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{State: json.RawMessage(fmt.Sprintf(`{"epoch":%d,"note":"a < b"}`, n)), Tensors: weights(n), Best: best}
}

func weights(n int) *checkpoint.File {
	values := make([]float32, 6000)
	for i := range values {
		values[i] = float32(n) + float32(i)/8
	}
	return &checkpoint.File{
		Tensors: []checkpoint.Tensor{
			{Name: "dense0.weight", Shape: []int{60, 100}, Data: values},
			{Name: "moments", Shape: []int{3}, Wide: []float64{1, 2, float64(n)}},
		},
		Metadata: map[string]string{"epoch": fmt.Sprint(n)},
	}
}

// wantMoment checks that c is moment(n, best).
func wantMoment(t *testing.T, c *checkpoint.Checkpoint, n int, best *checkpoint.File) {
	t.Helper()
	if c == nil {
		t.Fatalf("no checkpoint, want number %d", n)
	}
	var state struct{ Epoch int }
	if err := json.Unmarshal(c.State, &state); err != nil || state.Epoch != n {
		t.Errorf("state %s (%v), want that of %d", c.State, err, n)
	}
	if !bytes.Equal(encoded(t, c.Tensors), encoded(t, weights(n))) {
		t.Errorf("the tensors are not those of %d", n)
	}
	if (c.Best == nil) != (best == nil) || best != nil && !bytes.Equal(encoded(t, c.Best), encoded(t, best)) {
		t.Errorf("the best weights are not those that %d was saved with", n)
	}
}

func encoded(t *testing.T, f *checkpoint.File) []byte {
	t.Helper()
	raw, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// opened is a series that Latest was called of, and what that gave.
func opened(t *testing.T, disk checkpoint.Disk, folder string) (*checkpoint.Series, *checkpoint.Checkpoint, []error) {
	t.Helper()
	s := checkpoint.OpenSeries(disk, folder, "checkpoint-member0")
	var passed []error
	c, err := s.Latest(nil, func(err error) { passed = append(passed, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s, c, passed
}

func save(t *testing.T, s *checkpoint.Series, c checkpoint.Checkpoint) {
	t.Helper()
	if err := s.Save(c); err != nil {
		t.Fatal(err)
	}
}

func TestSeriesKeepsTheLastTwoAndTheirBest(t *testing.T) {
	disk := disktest.NewMemory()
	s, c, passed := opened(t, disk, "trial")
	if c != nil || len(passed) > 0 {
		t.Fatalf("an empty folder has %v, %v", c, passed)
	}
	save(t, s, moment(1, nil))
	best := weights(100)
	for n := 2; n <= 5; n++ {
		save(t, s, moment(n, best))
	}
	other := weights(200)
	save(t, s, moment(6, other))
	want := []string{
		"checkpoint-member0-5.json", "checkpoint-member0-5.safetensors", "checkpoint-member0-6.json", "checkpoint-member0-6.safetensors",
		"checkpoint-member0-best-2.safetensors", "checkpoint-member0-best-6.safetensors",
	}
	if names, _ := disk.List("trial"); !slices.Equal(names, want) {
		t.Errorf("kept %v\nwant %v", names, want)
	}
	s, c, passed = opened(t, disk, "trial")
	if len(passed) > 0 {
		t.Errorf("passed over %v", passed)
	}
	wantMoment(t, c, 6, other)
	save(t, s, moment(7, c.Best)) // and is not written again
	if names, _ := disk.List("trial"); len(names) != 5 || slices.Contains(names, "checkpoint-member0-best-7.safetensors") {
		t.Errorf("kept %v", names)
	}
	if err := checkpoint.RemoveSeries(disk, "trial", "checkpoint-"); err != nil {
		t.Fatal(err)
	}
	if left := disk.Files(); len(left) > 0 {
		t.Errorf("left %d files", len(left))
	}
}

// damaged saves two checkpoints, each with a best of its own, and returns the
// folder and the files that the second one alone needs.
func damaged(t *testing.T) (string, []string) {
	t.Helper()
	folder := t.TempDir()
	s, _, _ := opened(t, checkpoint.OS{}, folder)
	save(t, s, moment(1, weights(100)))
	save(t, s, moment(2, weights(200)))
	return folder, []string{"checkpoint-member0-2.json", "checkpoint-member0-2.safetensors", "checkpoint-member0-best-2.safetensors"}
}

// wantTheOneBefore damages a file, and checks that the damage is found.
func wantTheOneBefore(t *testing.T, folder, name string, raw, spoiled []byte, what string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, spoiled, 0o644); err != nil {
		t.Fatal(err)
	}
	_, c, passed := opened(t, checkpoint.OS{}, folder)
	wantMoment(t, c, 1, weights(100))
	var damage *checkpoint.DamageError
	if len(passed) != 1 || !errors.As(passed[0], &damage) || damage.Path != path {
		t.Errorf("passed over %v, want %s alone", passed, path)
	}
	if t.Failed() {
		t.Fatalf("%s: %s", name, what)
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// cuts are the lengths that a file of that content is truncated to: every KB, and
// near every boundary of its structure.
func cuts(name string, raw []byte) []int {
	var at []int
	if strings.HasSuffix(name, ".json") {
		for n := range raw {
			at = append(at, n)
		}
		return at
	}
	header := 8 + bytes.IndexByte(raw[8:], 0) // the values of weights begin with a zero byte
	for _, edge := range []int{0, 8, header, header + 24, len(raw)} {
		for n := edge - 9; n <= edge+9; n++ {
			at = append(at, n)
		}
	}
	for n := 0; n < len(raw); n += 1024 {
		at = append(at, n)
	}
	return slices.DeleteFunc(at, func(n int) bool { return n < 0 || n >= len(raw) })
}

func TestEveryTruncationIsFound(t *testing.T) {
	folder, names := damaged(t)
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range cuts(name, raw) {
			wantTheOneBefore(t, folder, name, raw, raw[:n], fmt.Sprintf("cut to %d of %d bytes", n, len(raw)))
		}
	}
}

// TestEveryFlippedBitIsFound flips every bit of the record, one at a time, and
// 1,000 drawn ones of the other files.
func TestEveryFlippedBitIsFound(t *testing.T) {
	folder, names := damaged(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		bits := make([]int, 8*len(raw))
		for i := range bits {
			bits[i] = i
		}
		if !strings.HasSuffix(name, ".json") {
			random.Shuffle(len(bits), func(i, j int) { bits[i], bits[j] = bits[j], bits[i] })
			bits = bits[:500]
		}
		for _, bit := range bits {
			spoiled := bytes.Clone(raw)
			spoiled[bit/8] ^= 1 << (bit % 8)
			wantTheOneBefore(t, folder, name, raw, spoiled, fmt.Sprintf("bit %d", bit))
		}
	}
	_, c, _ := opened(t, checkpoint.OS{}, folder)
	wantMoment(t, c, 2, weights(200)) // nothing was wrong with the test
}

func TestNothingWholeIsNothing(t *testing.T) {
	folder, _ := damaged(t)
	for _, name := range []string{"checkpoint-member0-1.json", "checkpoint-member0-2.safetensors"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, c, passed := opened(t, checkpoint.OS{}, folder)
	if c != nil || len(passed) != 2 {
		t.Errorf("%v, passed over %v", c, passed)
	}
	save(t, s, moment(3, nil))
	names, err := checkpoint.OS{}.List(folder)
	if want := []string{"checkpoint-member0-3.json", "checkpoint-member0-3.safetensors"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("kept %v (%v), want %v: what was passed over goes", names, err, want)
	}
}

// eachFault runs work, which must be the same every time, on a disk that begin
// prepares, with every operation failing in every way and every loss behind it.
func eachFault(t *testing.T, begin func(*disktest.Memory), work func(checkpoint.Disk) error, check func(t *testing.T, disk *disktest.Memory, failed bool)) {
	t.Helper()
	count := &disktest.Faulty{Disk: disktest.NewMemory()}
	begin(count.Disk.(*disktest.Memory))
	if err := work(count); err != nil {
		t.Fatal(err)
	}
	for _, fault := range disktest.Faults() {
		for _, loss := range disktest.Losses() {
			for k := 1; k <= count.Operations(); k++ {
				memory := disktest.NewMemory()
				begin(memory)
				err := work(&disktest.Faulty{Disk: memory, At: k, Fault: fault})
				if fault == disktest.NoSpace && err != nil && !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("operation %d: %v does not say that the disk is full", k, err)
				}
				memory.Lose(loss)
				check(t, memory, err != nil)
				if t.Failed() {
					t.Fatalf("operation %d of %d, %v, losing %v (work said: %v)", k, count.Operations(), fault, loss, err)
				}
			}
		}
	}
}

func TestReplaceUnderEveryFault(t *testing.T) {
	older, newer := "older", strings.Repeat("newer", 1000)
	begin := func(disk *disktest.Memory) {
		if err := checkpoint.Replace(disk, "folder/file", []byte(older)); err != nil {
			t.Fatal(err)
		}
	}
	eachFault(t, begin, func(disk checkpoint.Disk) error {
		return checkpoint.Replace(disk, "folder/file", []byte(newer))
	}, func(t *testing.T, disk *disktest.Memory, failed bool) {
		raw, err := disk.Read("folder/file")
		if err != nil || string(raw) != newer && string(raw) != older {
			t.Errorf("the file holds %.20q (%v)", raw, err)
		}
		if !failed && string(raw) != newer {
			t.Error("what Replace said it wrote is not there")
		}
		if err := checkpoint.ClearTemporary(disk, "folder"); err != nil {
			t.Error(err)
		}
		if names, _ := disk.List("folder"); len(names) != 1 {
			t.Errorf("left %v", names)
		}
	})
}

func TestSaveUnderEveryFault(t *testing.T) {
	bests := map[int]*checkpoint.File{3: weights(100), 4: weights(200), 5: weights(200)}
	begin := func(disk *disktest.Memory) {
		s, _, _ := opened(t, disk, "trial")
		for n := 1; n <= 3; n++ {
			save(t, s, moment(n, weights(100)))
		}
	}
	eachFault(t, begin, func(disk checkpoint.Disk) error {
		s := checkpoint.OpenSeries(disk, "trial", "checkpoint-member0")
		c, err := s.Latest(nil, func(err error) { t.Error(err) })
		if err != nil {
			return err
		}
		wantMoment(t, c, 3, bests[3])
		return s.Save(moment(4, bests[4]))
	}, func(t *testing.T, disk *disktest.Memory, failed bool) {
		s, c, _ := opened(t, disk, "trial")
		var state struct{ Epoch int }
		if c == nil || json.Unmarshal(c.State, &state) != nil || state.Epoch != 4 && (state.Epoch != 3 || !failed) {
			t.Errorf("neither the old checkpoint nor the new: %+v", c)
			return
		}
		wantMoment(t, c, state.Epoch, bests[state.Epoch])
		save(t, s, moment(5, bests[5]))
		_, c, passed := opened(t, disk, "trial")
		wantMoment(t, c, 5, bests[5])
		if len(passed) > 0 {
			t.Errorf("passed over %v after a whole one was saved", passed)
		}
	})
}

// TestFaultyDiskFails plants what the tests above must find: a file that is
// written in place, and one that is renamed without being synced.
func TestFaultyDiskFails(t *testing.T) {
	memory := disktest.NewMemory()
	write := func(disk checkpoint.Disk, name, content string, flag int) error {
		h, err := disk.Open(name, flag)
		if err != nil {
			return err
		}
		_, err = h.Write([]byte(content))
		return errors.Join(err, h.Close())
	}
	if err := write(memory, "f/new", "content", os.O_WRONLY|os.O_CREATE|os.O_EXCL); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(memory.Rename("f/new", "f/file"), memory.SyncFolder("f")); err != nil {
		t.Fatal(err)
	}
	memory.Lose(disktest.Unsynced)
	if raw, err := memory.Read("f/file"); err != nil || len(raw) != 0 {
		t.Errorf("content that was never synced is there: %q (%v)", raw, err)
	}
	torn := &disktest.Faulty{Disk: memory, At: 2, Fault: disktest.Short}
	if err := write(torn, "f/other", "content", os.O_WRONLY|os.O_CREATE|os.O_EXCL); !errors.Is(err, disktest.ErrFault) {
		t.Errorf("a short write says %v", err)
	}
	if raw, _ := memory.Read("f/other"); string(raw) != "con" {
		t.Errorf("a short write leaves %q", raw)
	}
	memory.Lose(disktest.Unsynced)
	if _, err := memory.Read("f/other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that was never synced is there (%v)", err)
	}
}

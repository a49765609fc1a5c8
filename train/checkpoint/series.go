package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Checkpoint is one moment that training can go on from.
type Checkpoint struct {
	// State is the caller's JSON: counters, seeds, the best value so far.
	State json.RawMessage
	// Tensors is what the state is of: parameters and the optimiser's moments; nil
	// where there are none.
	Tensors *File
	// Best is the best parameters so far; nil before there are any. One that is the
	// same *File as in the checkpoint before is not written again, so that a File
	// must not be changed once it has been given here.
	Best *File
}

// Series keeps the checkpoints of one training in a folder, numbered as they
// come. A checkpoint is up to three files:
//
//	NAME-7.safetensors       Tensors
//	NAME-best-5.safetensors  Best, written with checkpoint 5 and good for 7 as well
//	NAME-7.json              State, and the SHA-256 of both, sealed by its own
//
// The JSON is renamed into place last: a checkpoint without it is none. The last
// two checkpoints are kept with the best of each. A Series is its files' only
// writer and not safe for concurrent use.
type Series struct {
	disk         Disk
	folder, name string
	kept         []record // the last two that are whole, oldest first
	next         int
	best         *File // of the last record
}

// kept is how many checkpoints are: one may be found damaged.
const kept = 2

// Ref names a file and what is in it.
type Ref struct {
	File   string `json:"file"` // in the folder of who names it
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// record is the JSON of a checkpoint.
type record struct {
	Number  int             `json:"number"`
	Tensors *Ref            `json:"tensors,omitempty"`
	Best    *Ref            `json:"best,omitempty"`
	State   json.RawMessage `json:"state"`
}

// sealed is a record as its file has it: SHA256 is that of Record's bytes.
type sealed struct {
	SHA256 string          `json:"sha256"`
	Record json.RawMessage `json:"record"`
}

// DamageError says that a file is not what was written.
type DamageError struct{ Path, Problem string }

func (e *DamageError) Error() string {
	return fmt.Sprintf("checkpoint: %s is damaged: %s", e.Path, e.Problem)
}

// OpenSeries returns the series of that name in folder, which must be there. It
// reads nothing yet.
func OpenSeries(disk Disk, folder, name string) *Series {
	return &Series{disk: disk, folder: folder, name: name}
}

// Latest returns the newest checkpoint that is whole and that usable, where set,
// has no error for; nil where there is none. It tells passed of each that it
// passes over, and why, newest first. What it passes over, the next Save removes.
//
// Its error is of the disk, or one of usable that is no *DamageError: these end
// the search.
func (s *Series) Latest(usable func(*Checkpoint) error, passed func(error)) (*Checkpoint, error) {
	numbers, err := s.numbers()
	if err != nil {
		return nil, err
	}
	s.kept, s.best, s.next = nil, nil, 1
	if len(numbers) > 0 {
		s.next = numbers[len(numbers)-1] + 1
	}
	for _, n := range slices.Backward(numbers) {
		c, r, err := s.read(n)
		if err == nil && usable != nil {
			err = usable(c)
		}
		if err == nil {
			s.kept, s.best = []record{*r}, c.Best
			return c, nil
		}
		var damage *DamageError
		if !errors.As(err, &damage) {
			return nil, err
		}
		passed(err)
	}
	return nil, nil
}

// numbers are those of the checkpoints that have a record or tensors, ascending.
func (s *Series) numbers() ([]int, error) {
	names, err := s.disk.List(s.folder)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var numbers []int
	for _, name := range names {
		rest, of := strings.CutPrefix(name, s.name+"-")
		if !of {
			continue
		}
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, ".json"), ".safetensors")
		if n, err := strconv.Atoi(rest); err == nil && n > 0 && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// read reads checkpoint n. What is missing of it counts as damage.
func (s *Series) read(n int) (*Checkpoint, *record, error) {
	path := s.recordPath(n)
	raw, err := s.disk.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &DamageError{path, "it is not there"}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	r, err := unseal(raw)
	if err == nil && r.Number != n {
		err = fmt.Errorf("it is checkpoint %d's", r.Number)
	}
	if err != nil {
		return nil, nil, &DamageError{path, err.Error()}
	}
	c := &Checkpoint{State: r.State}
	if c.Tensors, err = s.load(r.Tensors); err != nil {
		return nil, nil, err
	}
	if c.Best, err = s.load(r.Best); err != nil {
		return nil, nil, err
	}
	return c, r, nil
}

func (s *Series) load(r *Ref) (*File, error) {
	if r == nil {
		return nil, nil
	}
	return LoadRef(s.disk, s.folder, *r)
}

// LoadRef reads the file that r names in folder. One that has other bytes than
// r says, or is not there, is a *DamageError.
func LoadRef(disk Disk, folder string, r Ref) (*File, error) {
	path := filepath.Join(folder, r.File)
	raw, err := disk.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &DamageError{path, "it is not there"}
	case err != nil:
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if is := hashOf(raw); is != r.SHA256 {
		return nil, &DamageError{path, fmt.Sprintf("its SHA-256 is %s, %s was written", is, r.SHA256)}
	}
	f, err := Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return f, nil
}

// SaveRef writes a file as Replace does, and returns what names it.
func SaveRef(disk Disk, path string, f File) (Ref, error) {
	raw, err := f.Bytes()
	if err != nil {
		return Ref{}, fmt.Errorf("checkpoint: writing %s: %w", path, err)
	}
	return Ref{filepath.Base(path), hashOf(raw), len(raw)}, Replace(disk, path, raw)
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// seal is the file of a record.
func (r record) seal() ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	raw, err = json.MarshalIndent(sealed{hashOf(raw), raw}, "", "  ")
	return append(raw, '\n'), err
}

// unseal reads what seal wrote, and nothing else: a file with one bit changed,
// be it in a space, is not what sealing its content gives.
func unseal(raw []byte) (*record, error) {
	var s sealed
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(s.Record, &r); err != nil {
		return nil, err
	}
	again, err := r.seal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(raw, again) {
		return nil, errors.New("its SHA-256 is not that of its content")
	}
	return &r, nil
}

// Save writes the next checkpoint and removes what it makes needless. After a
// crash on the way, or an error, Latest finds this checkpoint or the one before.
// Latest must have been called.
func (s *Series) Save(c Checkpoint) error {
	if s.next == 0 {
		panic("checkpoint: Save before Latest")
	}
	r := record{Number: s.next, State: c.State}
	s.next++ // a number is not used twice, even where this one fails
	if n := len(s.kept); c.Best != nil && c.Best == s.best && n > 0 {
		r.Best = s.kept[n-1].Best
	}
	var err error
	if r.Best == nil {
		if r.Best, err = s.put(fmt.Sprintf("%s-best-%d.safetensors", s.name, r.Number), c.Best); err != nil {
			return err
		}
	}
	if r.Tensors, err = s.put(fmt.Sprintf("%s-%d.safetensors", s.name, r.Number), c.Tensors); err != nil {
		return err
	}
	raw, err := r.seal()
	if err != nil {
		return err
	}
	if err := Replace(s.disk, s.recordPath(r.Number), raw); err != nil {
		return err
	}
	s.best, s.kept = c.Best, append(s.kept, r)
	s.kept = s.kept[max(0, len(s.kept)-kept):]
	return s.removeOthers()
}

// put writes a file of the checkpoint; nil for no file.
func (s *Series) put(name string, f *File) (*Ref, error) {
	if f == nil {
		return nil, nil
	}
	raw, err := f.Bytes()
	if err != nil {
		return nil, fmt.Errorf("checkpoint: writing %s: %w", name, err)
	}
	return &Ref{name, hashOf(raw), len(raw)}, put(s.disk, filepath.Join(s.folder, name), raw)
}

func (s *Series) recordPath(n int) string {
	return filepath.Join(s.folder, fmt.Sprintf("%s-%d.json", s.name, n))
}

// removeOthers removes the files of the series that no kept checkpoint needs.
func (s *Series) removeOthers() error {
	needed := map[string]bool{}
	for _, r := range s.kept {
		needed[filepath.Base(s.recordPath(r.Number))] = true
		for _, f := range []*Ref{r.Tensors, r.Best} {
			if f != nil {
				needed[f.File] = true
			}
		}
	}
	return removeSeries(s.disk, s.folder, func(name string) bool { return s.owns(name) && !needed[name] })
}

// owns says whether a file of that name is one of the series.
func (s *Series) owns(name string) bool {
	of, is := seriesOf(name)
	return is && of == s.name
}

// seriesOf is the name of the series that a file belongs to; ok is false where it
// belongs to none.
func seriesOf(file string) (name string, ok bool) {
	rest, tensors := strings.CutSuffix(file, ".safetensors")
	if !tensors {
		if rest, ok = strings.CutSuffix(file, ".json"); !ok {
			return "", false
		}
	}
	at := strings.LastIndexByte(rest, '-')
	if at < 0 {
		return "", false
	}
	if n, err := strconv.Atoi(rest[at+1:]); err != nil || n < 1 {
		return "", false
	}
	return strings.TrimSuffix(rest[:at], "-best"), true
}

// RemoveSeries removes the checkpoints of all series in folder whose names begin
// with prefix.
func RemoveSeries(disk Disk, folder, prefix string) error {
	return removeSeries(disk, folder, func(file string) bool {
		name, is := seriesOf(file)
		return is && strings.HasPrefix(name, prefix)
	})
}

func removeSeries(disk Disk, folder string, choose func(file string) bool) error {
	names, err := disk.List(folder)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range names {
		if !choose(name) {
			continue
		}
		if err := disk.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

package prepared

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"unsafe"
)

// Set is an open prepared set. Its slices are views of mapped files: they are
// shared by all callers, must not be written to (on most systems that faults),
// and are gone after Close.
type Set struct {
	dir      string
	manifest *Manifest
	features []float32
	labels   []int32
	groups   []int64
	files    []int32
	release  []func() error
}

// Open maps the set in dir. It reads the manifest, and checks type, shape and
// size of every array and the range of labels and files; features are not read.
// Each error names the file and what to do.
func Open(dir string) (*Set, error) {
	if err := checkHost(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("prepared set: %w; make it with flowbench data prepare", err)
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{dir: dir, manifest: m}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Set) open() (err error) {
	m := s.manifest
	if s.features, err = openArray[float32](s, featuresName, m.Rows, int64(len(m.Columns))); err != nil {
		return err
	}
	if s.labels, err = openArray[int32](s, labelsName, m.Rows); err != nil {
		return err
	}
	if s.groups, err = openArray[int64](s, groupsName, m.Rows); err != nil {
		return err
	}
	if s.files, err = openArray[int32](s, filesName, m.Rows); err != nil {
		return err
	}
	if err := s.checkRange(labelsName, s.labels, len(m.Labels)); err != nil {
		return err
	}
	return s.checkRange(filesName, s.files, len(m.Files))
}

// openArray maps one array and checks it against the shape it must have.
func openArray[T element](s *Set, name string, shape ...int64) ([]T, error) {
	path := filepath.Join(s.dir, name)
	fail := func(err error) ([]T, error) {
		return nil, fmt.Errorf("%s: %w; prepare the set again", path, err)
	}
	data, release, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; prepare the set again", err)
	}
	s.release = append(s.release, release)
	gotType, gotShape, offset, err := parseNpy(data)
	if err != nil {
		return fail(err)
	}
	if gotType != dtype[T]() {
		return fail(fmt.Errorf("holds %s, want %s", gotType, dtype[T]()))
	}
	if !slices.Equal(gotShape, shape) {
		return fail(fmt.Errorf("has shape %v, the manifest says %v", gotShape, shape))
	}
	n, size := int64(1), int64(unsafe.Sizeof(T(0)))
	for _, k := range shape {
		n *= k
	}
	if have := int64(len(data) - offset); have != n*size {
		return fail(fmt.Errorf("holds %d bytes of data, want %d: it is truncated or damaged", have, n*size))
	}
	if int64(offset)%size != 0 {
		return fail(fmt.Errorf("data starts at byte %d, which does not suit %s", offset, gotType))
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&data[offset])), n), nil
}

func (s *Set) checkRange(name string, values []int32, n int) error {
	for i, v := range values {
		if v < 0 || int(v) >= n {
			return fmt.Errorf("%s: row %d is %d, of %d; prepare the set again", filepath.Join(s.dir, name), i, v, n)
		}
	}
	return nil
}

// Manifest describes the set. The caller must not write to it.
func (s *Set) Manifest() *Manifest { return s.manifest }

// Features is the matrix, Rows × len(Columns), row-major. Missing cells are NaN.
func (s *Set) Features() []float32 { return s.features }

// Labels is each row's index into Manifest.Labels.
func (s *Set) Labels() []int32 { return s.labels }

// Groups is each row's group: its connection where the file had addresses, else
// the rows with equal features.
func (s *Set) Groups() []int64 { return s.groups }

// Files is each row's index into Manifest.Files.
func (s *Set) Files() []int32 { return s.files }

// Verify reads every array and compares it with the checksums of the manifest.
func (s *Set) Verify() error {
	for name, data := range map[string][]byte{
		featuresName: asBytes(s.features), labelsName: asBytes(s.labels), groupsName: asBytes(s.groups), filesName: asBytes(s.files),
	} {
		sum := sha256.Sum256(data)
		if got, want := hex.EncodeToString(sum[:]), s.manifest.array(name).SHA256; got != want {
			return fmt.Errorf("%s: its data has SHA-256 %s, the manifest says %s; prepare the set again", filepath.Join(s.dir, name), got, want)
		}
	}
	return nil
}

// Close unmaps the files; the slices are not to be used afterwards. Closing
// twice does nothing.
func (s *Set) Close() error {
	var err error
	for _, release := range s.release {
		err = errors.Join(err, release())
	}
	s.release, s.features, s.labels, s.groups, s.files = nil, nil, nil, nil, nil
	return err
}

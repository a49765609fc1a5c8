package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio"
)

func writeNpy(t *testing.T, path string, value any) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = npyio.Write(f, value)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadNpy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.npy")
	want := []float32{1, -2.5, 3e-9, 7}
	writeNpy(t, path, want)
	got, shape, err := readNpy(path)
	if err != nil || !slices.Equal(got, want) || !slices.Equal(shape, []int{4}) {
		t.Errorf("%v of shape %v, %v", got, shape, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"truncated": {raw[:len(raw)-1], "15 bytes of data, its header says 16"},
		"longer":    {append(slices.Clone(raw), 0), "17 bytes of data"},
		"no npy":    {[]byte("1,2\n3,4\n"), path},
	} {
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readNpy(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ...%s...", name, err, c.want)
		}
	}
	writeNpy(t, path, []float64{1})
	if _, _, err := readNpy(path); err == nil || !strings.Contains(err.Error(), "save it as float32") {
		t.Errorf("float64: %v", err)
	}
}

// npyHeader is that of rows × cols, which npyio does not write for slices.
func npyHeader(shape string) string {
	dict := "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"
	dict += strings.Repeat(" ", 117-len(dict)) + "\n"
	return "\x93NUMPY\x01\x00v\x00" + dict
}

func TestLoadMatrix(t *testing.T) {
	ones := func(rows, n int) []float32 {
		y := make([]float32, rows)
		for i := range n {
			y[i] = 1
		}
		return y
	}
	for _, c := range []struct {
		name, shape string
		y           []float32
		want        string
	}{
		{"right", "(2, 78)", ones(2, 1), ""},
		{"fewer targets", "(2, 78)", ones(1, 1), "1 values for 2 rows"},
		{"no positive", "(2, 78)", ones(2, 0), "0 ones in 2 rows"},
		{"no negative", "(2, 78)", ones(2, 2), "2 ones in 2 rows"},
		{"other columns", "(4, 39)", ones(4, 1), "shape [4 39], want rows × 78"},
		{"one axis", "(156,)", ones(4, 1), "shape [156]"},
	} {
		dir := t.TempDir()
		content := npyHeader(c.shape) + strings.Repeat("\x00\x00\x80\x3f", 156)
		if err := os.WriteFile(filepath.Join(dir, "S.npy"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		writeNpy(t, filepath.Join(dir, "y.npy"), c.y)
		m, err := LoadMatrix(dir)
		if c.want == "" {
			if err != nil || m.Rows != 2 || len(m.X) != 156 || m.X[155] != 1 || m.Made {
				t.Errorf("%s: %+v, %v", c.name, m, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ...%s...", c.name, err, c.want)
		}
	}
	if _, err := LoadMatrix(t.TempDir()); err == nil || !strings.Contains(err.Error(), "S.npy") {
		t.Errorf("an empty folder: %v", err)
	}
}

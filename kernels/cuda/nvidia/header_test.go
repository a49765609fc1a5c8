package nvidia

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// create compiles a caller of cuCtxCreate against the cuda.h of a folder, with our
// header before it or without, and runs it.
func create(t *testing.T, folder string, ours bool) error {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	program := filepath.Join(t.TempDir(), "create")
	args := []string{"-Werror", "-o", program}
	if ours {
		args = append(args, "-I", "include")
	}
	out, err := exec.Command(compiler, append(args, "-I", folder, "testdata/create.c")...).CombinedOutput()
	if err != nil {
		t.Logf("%s", out)
		return err
	}
	return exec.Command(program).Run()
}

// A caller of the old cuCtxCreate must compile and reach it whatever the toolkit;
// with a header of CUDA 13 alone it does not, which is what ours is for.
func TestHeaderMapsCtxCreate(t *testing.T) {
	for _, c := range []struct {
		folder string
		ours   bool
		works  bool
	}{{"testdata/11", false, true}, {"testdata/11", true, true}, {"testdata/13", false, false}, {"testdata/13", true, true}} {
		if err := create(t, c.folder, c.ours); (err == nil) != c.works {
			t.Errorf("%s, our header before it %v: %v, want it to work %v", c.folder, c.ours, err, c.works)
		}
	}
}

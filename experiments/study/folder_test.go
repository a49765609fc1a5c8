package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listing is every path below dir with the content of its files.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(dir, path)
		all[relative] = ""
		if e.Type().IsRegular() {
			raw, err := os.ReadFile(path)
			all[relative] = string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRefusedFolders has each bad output folder name itself and a remedy, and
// stay as it was.
func TestRefusedFolders(t *testing.T) {
	file := func(dir, name, content string) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := parse(t, tiny)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	create := func(dir, text string, single bool) {
		s := parse(t, text)
		make := NewPlan
		if single {
			make = NewSinglePlan
		}
		p, err := make(s)
		if err != nil {
			t.Fatal(err)
		}
		st, err := Create(dir, s, p, "")
		if err != nil {
			t.Fatal(err)
		}
		st.Close()
	}
	cases := []struct {
		name string
		make func(dir string)
		want []string
	}{
		{"foreign files", func(dir string) { file(dir, "thesis.tex", "years of work") }, []string{"holds thesis.tex but no study", "--out"}},
		{"study of another spec", func(dir string) { create(dir, strings.Replace(tiny, "epochs: 1", "epochs: 2", 1), false) }, []string{"holds a study of another spec", "--out"}},
		{"the same spec as a single run", func(dir string) { create(dir, tiny, true) }, []string{"plan.json is not the plan", "--out"}},
		{"a file of that name", func(dir string) { file(filepath.Dir(dir), filepath.Base(dir), "not a folder") }, []string{"not a directory", "--out"}},
		{"study.json cut short", func(dir string) {
			create(dir, tiny, false)
			file(dir, documentName, `{"path": "a.yaml"`)
		}, []string{documentName, "unexpected end of JSON"}},
		{"plan.json changed", func(dir string) {
			create(dir, tiny, false)
			file(dir, planName, "{}")
		}, []string{"plan.json is not the plan", "--out"}},
	}
	for _, c := range cases {
		root := t.TempDir()
		dir := filepath.Join(root, "study")
		c.make(dir)
		before := listing(t, root)
		st, err := Create(dir, s, plan, "")
		if err == nil {
			st.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, part := range append(c.want, dir) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", c.name, err, part)
			}
		}
		after := listing(t, root)
		delete(before, filepath.Join("study", lockName)) // names the process that held it
		delete(after, filepath.Join("study", lockName))
		wantSame(t, c.name, after, before)
	}
}

func TestFolderBelowAFile(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := parse(t, tiny)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Create(filepath.Join(path, "below", "study"), s, plan, "")
	if err == nil || !strings.Contains(err.Error(), "not a directory") || !strings.Contains(err.Error(), "--out") {
		t.Errorf("got %v", err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		if os.Getenv("REQUIRE_USER") != "" {
			t.Fatal("running as root, whom permissions do not stop; TestFolderBelowAFile stands in")
		}
		t.Skip("running as root, whom permissions do not stop; TestFolderBelowAFile stands in")
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(root, 0o755)
	s := parse(t, tiny)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Create(filepath.Join(root, "study"), s, plan, "")
	if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), "--out") {
		t.Errorf("got %v", err)
	}
}

// TestFoldersThatAreTaken: what a sweep killed in its first moment leaves is no foreign folder.
func TestFoldersThatAreTaken(t *testing.T) {
	s := parse(t, tiny)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]string{
		"empty":              {},
		"a lock":             {lockName},
		"half a spec":        {lockName, ".study.json.123"},
		"half-prepared data": {lockName, ".data.partial-1-0"},
	} {
		dir := t.TempDir()
		for _, file := range left {
			if err := os.WriteFile(filepath.Join(dir, file), []byte("half"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		st, err := Create(dir, s, plan, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		st.Close()
		if _, err := os.Stat(filepath.Join(dir, ".study.json.123")); err == nil {
			t.Errorf("%s: the half-written file is still there", name)
		}
	}
}

// TestSecondSweepIsRefused starts a second sweep in a folder while the first one
// holds it, and sees it succeed once the first has gone.
func TestSecondSweepIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	s := parse(t, tiny)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Create(dir, s, plan, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte(tiny), 0o644); err != nil {
		t.Fatal(err)
	}
	second := startSweep(t, path, dir, 1, nil)
	if code := second.wait(); code != 1 || !strings.Contains(second.said.String(), "another sweep") ||
		!strings.Contains(second.said.String(), "--out") || !strings.Contains(second.said.String(), dir) {
		t.Errorf("exit code %d:\n%s", code, second.said)
	}
	if n := strings.Count(strings.TrimSpace(second.said.String()), "\n"); n != 0 {
		t.Errorf("the message has %d lines more than one:\n%s", n, second.said)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	runSweep(t, path, dir, 1, nil)
}

// TestDiscard takes a study away that could not begin, and no other.
func TestDiscard(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "new", "study")
	before := listing(t, root)
	sweep, _ := tinySweep(t, dir, 1)
	if err := sweep.Study.Discard(); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "a new study", listing(t, root), before)

	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	before = listing(t, root)
	sweep, _ = tinySweep(t, dir, 1)
	if err := sweep.Study.Discard(); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "a new study in a folder that was there", listing(t, root), before)

	sweep, _ = tinySweep(t, dir, 1)
	if err := sweep.Study.Close(); err != nil {
		t.Fatal(err)
	}
	before = listing(t, root)
	sweep, _ = tinySweep(t, dir, 1)
	if err := sweep.Study.Discard(); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "an earlier study", listing(t, root), before)
}

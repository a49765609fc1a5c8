package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// TestMain lets the test binary be the program that a sweep starts its workers
// from, and a measurement the processes that it is made in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"worker", "bench"}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

// flowbench runs a command line and returns its exit code and what it printed;
// stderr ends with the error as main prints it.
func flowbench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(t.Context(), append([]string{"flowbench"}, args...), &out, &log)
	if err != nil {
		return exitCode(err), out.String(), log.String() + err.Error()
	}
	return 0, out.String(), log.String()
}

// each calls do for every command that there is, with the words that it is called by.
func each(commands []*cli.Command, above []string, do func(path []string, c *cli.Command)) {
	for _, c := range commands {
		if c.Name == "help" {
			continue
		}
		path := slices.Concat(above, []string{c.Name})
		do(path, c)
		each(c.Subcommands, path, do)
	}
}

func TestEveryCommandHelpsWithAnExample(t *testing.T) {
	found := 0
	check := func(path []string, c *cli.Command) {
		found++
		for _, behind := range [][]string{{"--help"}, {"an argument", "--help"}} {
			args := slices.Concat(path, behind)
			code, out, _ := flowbench(t, args...)
			if code != 0 || !strings.Contains(out, "flowbench "+strings.Join(path, " ")) {
				t.Errorf("%v: exit code %d:\n%s", args, code, out)
			}
			_, example, ok := strings.Cut(out, "example: ")
			if !ok {
				t.Errorf("%v: no example:\n%s", args, out)
				continue
			}
			wantRealExample(t, strings.TrimSpace(strings.SplitN(example, "\n", 2)[0]))
		}
	}
	each(newApp().Commands, nil, check)
	if found < 10 {
		t.Errorf("only %d commands", found)
	}
	if code, out, _ := flowbench(t, "--help"); code != 0 || !strings.Contains(out, "example: ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if code, out, _ := flowbench(t); code != 0 || !strings.Contains(out, "COMMANDS") {
		t.Errorf("without arguments: exit code %d:\n%s", code, out)
	}
}

// wantRealExample makes sure that an example calls a command that there is, with
// flags that it has, and that a spec it names is there.
func wantRealExample(t *testing.T, example string) {
	t.Helper()
	words := strings.Fields(example)
	command, rest := leaf(newApp().Commands, words)
	if words[0] != "flowbench" || command == nil || !actsItself(command) {
		t.Errorf("%s: calls no command", example)
		return
	}
	for _, word := range rest {
		if strings.HasSuffix(word, ".yaml") {
			if _, err := os.Stat(word); err != nil {
				t.Errorf("%s: %v", example, err)
			}
		}
		if name, ok := strings.CutPrefix(word, "--"); ok && !hasFlag(command, name) {
			t.Errorf("%s: %s has no flag %s", example, command.Name, word)
		}
	}
}

// actsItself says whether a command does something without one of those below it.
func actsItself(c *cli.Command) bool { return len(c.Subcommands) == 0 || len(c.Flags) > 0 }

func hasFlag(c *cli.Command, name string) bool {
	for _, f := range c.Flags {
		if f.Names()[0] == name {
			return true
		}
	}
	return false
}

func TestWrongUse(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"swep", "there is no command swep; did you mean \"sweep\"?; see flowbench --help"},
		{"fly", "there is no command fly; see flowbench --help"},
		{"data", "data needs a command: synth, inspect, prepare, verify"},
		{"data prepair x", "there is no command data prepair; did you mean \"prepare\"?; see flowbench data --help"},
		{"help swep", "swep"},
		{"--loud", "unknown flag --loud; see flowbench --help"},
		{"sweep --worker 2 x.yaml", "unknown flag --worker; did you mean \"--workers\"?; see flowbench sweep --help"},
		{"sweep x.yaml --dry-rnu", "unknown flag --dry-rnu; did you mean \"--dry-run\"?"},
		{"data synth flows --row 5", "unknown flag --row; did you mean \"--rows\"?; see flowbench data synth --help"},
		{"sweep x.yaml --workers", "flag needs an argument: --workers"},
		{"sweep x.yaml --workers many", `invalid value "many" for flag --workers`},
		{"sweep", "sweep needs a spec as its one argument, got 0; see flowbench sweep --help"},
		{"sweep --json", "sweep needs a spec"},
		{"sweep a.yaml b.yaml", "got 2"},
		{"train", "train needs a spec"},
		{"worker", "worker needs --store"},
		{"worker --store runs/demo more", "takes no arguments"},
		{"runs a b", "one study at most"},
		{"runs --attempts", "needs the folder of a study"},
		{"compare", "compare needs the folder of a study"},
		{"data synth", "data synth needs the folder to write to as its one argument, got 0"},
		{"data synth flows --rows 0", "--rows 0: at least one is needed"},
		{"data prepare", "data prepare needs CSV files"},
		{"data inspect", "data inspect needs"},
		{"data verify", "data verify needs"},
		{"sweep testdata/small.yaml --workers 0", "--workers 0: at least one is needed"},
		{"sweep testdata/small.yaml --device gpu", "--device gpu is none that there is: write auto, cpu, cuda or cuda:0"},
		{"sweep testdata/small.yaml --device cuda:x", "--device cuda:x is none"},
		{"sweep testdata/small.yaml --simd avx51", "--simd avx51 is none that there is: write auto, plain, avx2, avx512; did you mean \"avx512\"?"},
		{"train testdata/small.yaml --simd sse", "--simd sse is none"},
		{"worker --store runs/demo --simd neon", "--simd neon is none"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Chdir(nowhere(t))
			code, out, log := flowbench(t, strings.Fields(c.line)...)
			if code != exitWrongUse || out != "" || !strings.Contains(log, c.want) {
				t.Errorf("exit code %d, want %d and ...%s...\nstdout: %s\nstderr: %s", code, exitWrongUse, c.want, out, log)
			}
			wantUntouched(t)
		})
	}
}

// nowhere is a folder that holds testdata alone.
func nowhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantUntouched makes sure that the working folder is as nowhere made it.
func wantUntouched(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "testdata" {
			t.Errorf("it wrote %s", e.Name())
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"sweep a.yaml --workers 2", "sweep --workers 2 a.yaml"},
		{"sweep a.yaml --workers=2 --json", "sweep --workers=2 --json a.yaml"},
		{"sweep --json a.yaml -dry-run", "sweep --json -dry-run a.yaml"},
		{"sweep a.yaml --set k=v --set l=-1", "sweep --set k=v --set l=-1 a.yaml"},
		{"sweep a.yaml --out -odd-", "sweep --out -odd- a.yaml"},
		{"sweep a.yaml -- --json", "sweep -- a.yaml --json"},
		{"sweep -", "sweep -"},
		{"sweep a.yaml --unknown b", "sweep --unknown a.yaml b"},
		{"sweep a.yaml --out", "sweep --out"},
		{"data synth flows --rows 5", "data synth --rows 5 flows"},
		{"data flows --help", "data --help"},
		{"fly away --far", "fly away --far"},
		{"sweep a.yaml --generate-bash-completion", "sweep a.yaml --generate-bash-completion"},
		{"", ""},
	} {
		args := append([]string{"flowbench"}, strings.Fields(c.line)...)
		given := strings.Join(args, " ")
		got := flagsFirst(newApp().Commands, args)
		if diff := cmp.Diff(append([]string{"flowbench"}, strings.Fields(c.want)...), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.line, diff)
		}
		if strings.Join(args, " ") != given {
			t.Errorf("%q: the arguments were changed", c.line)
		}
	}
}

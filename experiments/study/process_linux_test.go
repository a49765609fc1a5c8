package study

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// childrenOf lists the processes whose parent is pid (proc_pid_stat(5): the
// fourth field, the second one behind the name in brackets).
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(paths) == 0 {
		t.Fatalf("/proc cannot be read: %v", err)
	}
	var children []int
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // has ended meanwhile
		}
		fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) || string(fields[0]) == "Z" {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	return children
}

func TestZombiesAreNotAlive(t *testing.T) {
	if pid := zombie(t); alive(pid) {
		t.Errorf("process %d has ended, and counts as alive", pid)
	}
	if pid := idle(t); !alive(pid) {
		t.Errorf("process %d waits, and counts as dead", pid)
	}
}

// zombie is the number of a process that has ended and was not waited for.
func zombie(t *testing.T) int {
	t.Helper()
	cmd, end := start(t)
	end()
	for {
		raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "stat"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(raw[bytes.LastIndexByte(raw, ')')+1:], []byte(" Z")) {
			return cmd.Process.Pid
		}
		time.Sleep(time.Millisecond)
	}
}

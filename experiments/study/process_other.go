//go:build !linux

package study

import (
	"errors"
	"os/exec"
	"syscall"
)

// dieWithParent does nothing here: a worker notices that its standard input
// ended, which the sweep holds open, and stops by itself.
func dieWithParent(*exec.Cmd) {}

// alive says whether there is a process of that number. One that has taken the
// number of a dead sweep only delays its trials until their leases end.
func alive(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

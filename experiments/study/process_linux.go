package study

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill a worker whose sweep was killed, so that
// none is left to train beside the next one.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

package bench

import (
	"bytes"
	"os"
	"strconv"
)

// peakMemory is the most bytes that this process has had resident, VmHWM of
// proc_pid_status(5), or 0 where it cannot be read. (getrusage would carry over
// what the process that started this one had.)
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

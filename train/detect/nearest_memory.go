package detect

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// affordable is the error of a fit that needs more bytes than the machine can
// give, asked before anything is taken. Where the machine does not tell, it is nil.
func affordable(need int64, free func() (int64, bool)) error {
	if free == nil {
		free = freeMemory
	}
	if have, known := free(); known && need > have {
		return fmt.Errorf("%d MB of memory are needed beside the matrix and %d MB are free: take fewer rows (fit: {max_rows: N})", need>>20, have>>20)
	}
	return nil
}

// freeMemory is what Linux holds to be available without swapping.
func freeMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) >= 2 && string(fields[0]) == "MemAvailable:" {
			kilobytes, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kilobytes << 10, err == nil
		}
	}
	return 0, false
}

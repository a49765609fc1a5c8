package nvidia

import (
	"fmt"
	"os"
	"regexp"
)

// versionFile is where the driver's kernel module names its release.
const versionFile = "/proc/driver/nvidia/version"

var release = regexp.MustCompile(`(?m)^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s`)

// driverVersion names the driver: its release, where versionFile has it, and the
// newest CUDA that it knows, 1000·major + 10·minor.
func driverVersion(path string, cuda int) string {
	known := fmt.Sprintf("CUDA %d.%d", cuda/1000, cuda%1000/10)
	text, err := os.ReadFile(path)
	if err != nil {
		return known
	}
	found := release.FindSubmatch(text)
	if found == nil {
		return known
	}
	return string(found[1]) + ", " + known
}

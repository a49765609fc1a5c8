package cuda

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// The kernels as PTX, for compute capability 8.0 and 9.0: `make kernels` writes
// them, and the driver of whatever device there is compiles them to its own code.
//
//go:embed ptx/*.ptx
var ptx embed.FS

// Images returns the kernels' PTX for a device of a capability (10·major + minor).
func Images(capability int) ([]string, error) {
	version := "_90.ptx"
	switch {
	case capability < 80:
		return nil, fmt.Errorf("cuda: compute capability %d.%d is too old, want 8.0 (Ampere) or newer", capability/10, capability%10)
	case capability < 90:
		version = "_80.ptx"
	}
	var images []string
	err := fs.WalkDir(ptx, "ptx", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, version) {
			return err
		}
		text, err := ptx.ReadFile(path)
		images = append(images, string(text))
		return err
	})
	return images, err
}

// Kernels names all kernels, in ascending order.
func Kernels() []string {
	images, err := Images(90)
	if err != nil {
		panic("cuda: the embedded PTX cannot be read: " + err.Error())
	}
	var names []string
	for _, image := range images {
		names = append(names, Entries(image)...)
	}
	slices.Sort(names)
	return names
}

// Entries names the kernels of an image, in its order.
func Entries(image string) []string {
	var names []string
	for _, found := range entry.FindAllStringSubmatch(image, -1) {
		names = append(names, found[1])
	}
	return names
}

// entry is where a kernel begins in PTX.
var entry = regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`)

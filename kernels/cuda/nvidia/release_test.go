package nvidia

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDriverVersion(t *testing.T) {
	for text, want := range map[string]string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 12.2.0\n":         "535.104.05, CUDA 12.8",
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)  Thu Jan 23 2025\nGCC version: 12\n": "570.86.15, CUDA 12.8",
		"GCC version:  gcc version 12.2.0\n": "CUDA 12.8",
	} {
		path := filepath.Join(t.TempDir(), "version")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := driverVersion(path, 12080); got != want {
			t.Errorf("%q for %q, want %q", got, text, want)
		}
	}
	if got := driverVersion(filepath.Join(t.TempDir(), "none"), 11080); got != "CUDA 11.8" {
		t.Errorf("without a file: %q", got)
	}
}

package main

import (
	"os"
	"testing"
)

// What the emulator was built from must be what is there.
func TestHeaderIsCurrent(t *testing.T) {
	want, err := header("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../emulator/sources.h")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("emulator/sources.h is out of date: run go generate ./kernels/cuda")
	}
}

//go:build emu

#include "emulator.h"

#include "sources.h"

// What Go calls. Not to be called from two threads at once.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// emulatorLaunch runs a kernel to its end and returns what is wrong, or null.
const char *emulatorLaunch(const char *name, const unsigned grid[3], int threads, size_t sharedBytes, const void *args,
	size_t argsSize, int backwards);

void *emulatorAllocate(size_t bytes);
void emulatorFree(void *p, size_t bytes);

#ifdef __cplusplus
}
#endif

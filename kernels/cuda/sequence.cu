// The first step of a sequence begins here, each other at the end of the one before.
#include "sequence.cuh"

KERNEL(sequence_begin, Sequence, sequenceThreads) {
	drawStep(a, 0, blockIdx.x);
	if (blockIdx.x == 0 && threadIdx.x == 0) beginStep(a, 0);
}

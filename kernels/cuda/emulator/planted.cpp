//go:build emu

// A kernel with faults to order: what the emulator must find, and what it must let
// pass.
#include "emulator.h"

enum Fault {
	none,
	noCommit,
	noWait,
	waitForOlder,
	lateWait,
	noBarrier,
	changedSource,
	writtenPlace,
	notAligned,
	notShared,
	dividedBarrier,
	dividedShuffle,
	loadNotAligned,
	storeNotAligned,
};

struct PlantedArgs {
	float *in, *out;
	int fault, reserved;
};

// Every thread copies its float of in to shared memory and its neighbour's to out.
KERNEL(planted, PlantedArgs, 64) {
	SHARED(float, memory);
	int i = threadIdx.x;
	if (a.fault == notAligned) copyAsync<16>(memory + 1, a.in);
	copyAsync<4>(a.fault == notShared ? a.out + i : memory + i, a.in + i);
	if (a.fault != noCommit) copyCommit();
	if (a.fault == changedSource) a.in[i] = 0;
	if (a.fault == writtenPlace) memory[i] = 0;
	if (a.fault == waitForOlder) {
		copyWait<1>();
	} else if (a.fault != noWait && a.fault != lateWait) {
		copyWait<0>();
	}
	if (a.fault != noBarrier && (a.fault != dividedBarrier || i < 32)) __syncthreads();
	float v = memory[i ^ 1];
	if (a.fault == lateWait) copyWait<0>();
	if (a.fault != dividedShuffle || i % 2) v += __shfl_xor_sync(0xFFFFFFFFu, 0.0f, 2);
	float four[4] = {v};
	if (a.fault == loadNotAligned) load4(four, memory + i / 8 * 4 + 1);
	if (a.fault == storeNotAligned) store4(memory + i / 8 * 4 + 2, four);
	a.out[i] = v;
}

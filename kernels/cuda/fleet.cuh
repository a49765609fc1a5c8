// What the kernels of fleets are told, what the threads of a block share, and how
// they go through a network's parameters.
#pragma once
#include "common.cuh"
#include "loss.cuh"
#include "order.cuh"
#include "update.cuh"

enum { fleetThreads = 256, fleetWarps = fleetThreads / 32, mostLayers = 8, mostTile = 64, lossThread = fleetThreads / 2, nothingSick = 0x7FFFFFFF };

// FleetStep is one step of a trial. Its batch of n is from first on in FleetTrial.rows,
// or, where order is not negative, at the places of one of FleetTrial.orders.
struct FleetStep {
	wide step;
	int first, n;
	float rate, corrected, correction;
	int order;
};

// FleetLayer is one kernels.Dense with its gradient. Offsets called shared count
// float32 in the block's memory, those called grad in the gradients, the others in
// the trial's arena; -1 is none. Rows in the first two begin at multiples of four
// float32 and end with what nobody may use. Where the first layer's weights do not fit
// into shared memory, sharedW is -1, and they stay in the arena.
struct FleetLayer {
	int in, out;
	int stride, gradStride, pitch; // from row to row of weights, of their gradient, of outputs
	int sharedW, sharedB, sharedY, sharedZ;
	int gradW, gradB;
	int w, b, dw, db, y, z, dy;
	int m1w, m2w, m1b, m2b;
	int forward, backward; // instructions
	float decayW, decayB;
	Epilogue epilogue;
};

struct FleetTrial {
	const float *x, *targets; // the Table and the Target column
	float *arena;
	float *grads; // where they do not fit into shared memory, else null
	const int *rows;
	int *drawn[2]; // room for the batches that an order gives, of even and of odd steps
	const Order *orders;
	const FleetStep *steps;
	StepResult *results;
	float *output; // of scoring: a row's outputs for each of rows
	LossRule loss;
	wide seed;
	int count; // steps; of scoring, rows
	int tile;  // samples at a time
	int layers, inputs, params, gradients; // the latter two: float32 in shared memory or apart
	int inputPitch;                        // from row to row of the input
	int sharedInput, sharedClean, sharedLoss, sharedEnd; // clean: the input before noise; loss: d(prediction)
	int sharedLabels; // the tile's targets; -1: of a loss that compares with the Table
	int sharedNext; // the next tile's rows while the first layer's gradient is computed; -1: there is no room
	int keep;                                            // leave activations and gradients in the arena
	int noisy, corruptY, corruptInstruction, lossInstruction, clipInstruction, updateInstruction;
	float sigma, maskRate;
	word stream;
	float maxNorm; // 0: no clipping
	UpdateRule rule;
	FleetLayer layer[mostLayers];
};

struct FleetArgs {
	const FleetTrial *trials;
	int parts; // of scoring: blocks a trial
	int reserved;
};

// Block is what the threads of a block work on.
struct Block {
	const FleetTrial &t;
	Control c;
	float *shared, *grads;
	int *sick;
	int first, rows; // the tile
	bool fetched;    // the tile's rows are on their way to sharedNext
};

__device__ __forceinline__ bool isFinite(float v) { return fabsf(v) <= 3.402823466e38f; }

// note says whether all that a thread has made by an instruction is finite.
__device__ __forceinline__ void note(Block &b, int instruction, bool finite) {
	if (!finite) atomicMin(b.sick, instruction);
}

// Params is the weights or the biases of a layer: n in rows of cols.
struct Params {
	int n, cols;
	int p, dp, m1, m2; // in the arena
	int shared, stride, grad, gradStride;
	int backward; // instruction
	float decay;
};

__device__ __forceinline__ Params paramsOf(const FleetLayer &l, bool biases) {
	if (biases) return {l.sharedB < 0 ? 0 : l.out, l.out, l.b, l.db, l.m1b, l.m2b, l.sharedB, 0, l.gradB, 0, l.backward, l.decayB};
	return {l.in * l.out, l.out, l.w, l.dw, l.m1w, l.m2w, l.sharedW, l.stride, l.gradW, l.gradStride, l.backward, l.decayW};
}

// Walk goes through the elements of Params, fleetThreads at a time, of which this
// thread's is one, and divides only once.
struct Walk {
	int e, row, col, cols;
	__device__ __forceinline__ explicit Walk(const Params &s)
		: e(threadIdx.x), row(threadIdx.x / s.cols), col(threadIdx.x % s.cols), cols(s.cols) {}
	__device__ __forceinline__ void next(int down, int right) {
		e += fleetThreads, row += down, col += right;
		if (col >= cols) col -= cols, row++;
	}
};

// eachFew calls each(Params, elements, places in shared memory, places in the gradients)
// for all parameters, few at a time of each thread; an element that is not there is -1.
template <int few, class Each>
__device__ __forceinline__ void eachFew(const FleetTrial &t, Each each) {
	ROLLED for (int index = 0; index < 2 * t.layers; index++) {
		const Params s = paramsOf(t.layer[index / 2], index % 2);
		if (s.n == 0) continue;
		int down = fleetThreads / s.cols, right = fleetThreads % s.cols;
		ROLLED for (Walk w(s); w.e < s.n;) {
			int e[few], at[few], grad[few];
			UNROLL for (int i = 0; i < few; i++, w.next(down, right)) {
				e[i] = w.e < s.n ? w.e : -1;
				at[i] = s.shared + w.row * s.stride + w.col, grad[i] = s.grad + w.row * s.gradStride + w.col;
			}
			each(s, e, at, grad);
		}
	}
}

// eachParameter is eachFew, one at a time.
template <class Each>
__device__ __forceinline__ void eachParameter(const FleetTrial &t, Each each) {
	eachFew<1>(t, [&](const Params &s, const int *e, const int *at, const int *grad) { each(s, e[0], at[0], grad[0]); });
}

// loadParameters brings the parameters of a network into shared memory.
__device__ __forceinline__ void loadParameters(const FleetTrial &t, float *shared) {
	eachParameter(t, [&](const Params &s, int e, int at, int) {
		if (s.shared >= 0) shared[at] = t.arena[s.p + e];
	});
}

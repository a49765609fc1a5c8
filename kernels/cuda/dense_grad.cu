// kernels.DenseGrad in one launch: dx, and parts of dw and db, a run of samples a
// part, which the first reader of the gradient adds up (gradient.cuh). dy is dz by
// then: the kernel before has made it so, or outer in norm.cu.
#include "product.cuh"

enum { biasTerms = 16 };

// Below is the layer that dx is the dy of: where there is one, dz is left in dx.
struct Below {
	Matrix y, z;
	Epilogue epilogue;
	int there, reserved;
};

struct DenseGradArgs {
	Control *control;
	Matrix x, dy, dx;
	const float *w;
	float *parts; // a part is in×out, and a row of out for db
	Below below;
	int instruction, precision;
	int samples;    // of a part
	int inputTiles; // blocks that compute dx; those of the parts follow
	int bias, reserved;
};

__device__ __forceinline__ void inputGradient(const DenseGradArgs &a, TileMemory *memory, int tile) {
	const Control &c = *a.control;
	int in = a.x.cols, out = a.dy.cols, n = c.n, across = (in + tileSize - 1) / tileSize;
	int i0 = tile / across * tileSize, j0 = tile % across * tileSize;
	if (i0 >= n) return;
	Draws draws = {};
	product(
		a.precision, memory, out,
		Operand{terms, [&](int i, int k) { return i0 + i < n && k < out ? a.dy.data + (long long)(i0 + i) * out + k : nullptr; }},
		Operand{terms, [&](int j, int k) { return k < out && j0 + j < in ? a.w + (long long)(j0 + j) * out + k : nullptr; }},
		[&](int i, int j, float dx) {
			if (i0 + i >= n || j0 + j >= in) return;
			wide e = (wide)(i0 + i) * in + j0 + j;
			check(a.control, a.instruction, dx);
			// What is not finite stays to be found. A dz that overflows makes the parts
			// of the layer below overflow, which are checked.
			if (a.below.there && fabsf(dx) <= 3.402823466e38f) {
				float z = a.below.z.data ? a.below.z.data[e] : 0;
				dx = backward(a.below.epilogue, c, draws, dx, a.below.y.data[e], z, e);
			}
			a.dx.data[e] = dx;
		});
}

// weightGradient is a tile of one part of dw; the first row of tiles sums its columns
// for db besides.
__device__ __forceinline__ void weightGradient(const DenseGradArgs &a, TileMemory *memory, int tile) {
	const Control &c = *a.control;
	int in = a.x.cols, out = a.dy.cols, across = (out + tileSize - 1) / tileSize, down = (in + tileSize - 1) / tileSize;
	int j0 = tile % across * tileSize, k0 = tile / across % down * tileSize, index = tile / (across * down);
	int first = index * a.samples, samples = min(a.samples, c.n - first);
	if (samples <= 0) return;
	float *part = a.parts + (long long)index * (in + 1) * out;
	const float *x = a.x.gathered ? c.x : a.x.data;
	const float *dz = a.dy.data + (long long)first * out;
	product(
		a.precision, memory, samples,
		Operand{neighboursOf(x, in), [&](int i, int k) { return k0 + i < in && k < samples ? rowOf(a.x, c, first + k) + k0 + i : nullptr; }},
		Operand{neighboursOf(a.dy.data, out), [&](int j, int k) { return k < samples && j0 + j < out ? dz + (long long)k * out + j0 + j : nullptr; }},
		[&](int i, int j, float sum) {
			if (k0 + i >= in || j0 + j >= out) return;
			part[(long long)(k0 + i) * out + j0 + j] = sum;
			check(a.control, a.instruction, sum);
		});
	int col = j0 + threadIdx.x;
	if (!a.bias || k0 > 0 || threadIdx.x >= tileSize || col >= out) return;
	float total = 0;
	for (int k = 0; k < samples; k += biasTerms) { // so many on their way at a time
		float term[biasTerms];
		UNROLL for (int r = 0; r < biasTerms; r++) term[r] = k + r < samples ? dz[(long long)(k + r) * out + col] : 0;
		UNROLL for (int r = 0; r < biasTerms; r++) total += term[r];
	}
	part[(long long)in * out + col] = total;
	check(a.control, a.instruction, total);
}

KERNEL(dense_grad, DenseGradArgs, tileThreads) {
	SHARED(TileMemory, memory);
	if (skip(a.control, a.instruction)) return;
	int tile = blockIdx.x;
	if (tile < a.inputTiles) {
		inputGradient(a, memory, tile);
	} else {
		weightGradient(a, memory, tile - a.inputTiles);
	}
}

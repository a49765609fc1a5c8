// kernels.DenseGrad in one launch: dx, and parts of dw and db, a run of samples a
// part, which the first reader of the gradient adds up (update.cu). dy is dz by
// then: the kernel before has made it so, or outer in norm.cu.
#include "product.cuh"

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
	int bias, tile;
};

template <int size>
__device__ __forceinline__ void inputGradient(const DenseGradArgs &a, TileMemory<size> &memory, int tile) {
	const Control &c = *a.control;
	int in = a.x.cols, out = a.dy.cols, n = c.n, across = (in + size - 1) / size;
	int i0 = tile / across * size, j0 = tile % across * size;
	if (i0 >= n) return;
	Draws draws = {};
	product(
		a.precision, memory, out,
		Operand{terms, n - i0, [&](int i) { return a.dy.data + (long long)(i0 + i) * out; }},
		Operand{terms, in - j0, [&](int j) { return a.w + (long long)(j0 + j) * out; }},
		[](const Stage<size> &) {},
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
template <int size>
__device__ __forceinline__ void weightGradient(const DenseGradArgs &a, TileMemory<size> &memory, int tile) {
	const Control &c = *a.control;
	int in = a.x.cols, out = a.dy.cols, across = (out + size - 1) / size, down = (in + size - 1) / size;
	int j0 = tile % across * size, k0 = tile / across % down * size, index = tile / (across * down);
	int first = index * a.samples, samples = min(a.samples, c.n - first);
	if (samples <= 0) return;
	float *part = a.parts + (long long)index * (in + 1) * out;
	const float *x = a.x.gathered ? c.x : a.x.data;
	const float *dz = a.dy.data + (long long)first * out;
	bool sums = a.bias && k0 == 0 && threadIdx.x < size;
	float total = 0;
	product(
		a.precision, memory, samples,
		Operand{neighboursOf(x, in), in - k0, [&](int k) { return rowOf(a.x, c, first + k) + k0; }},
		Operand{neighboursOf(a.dy.data, out), out - j0, [&](int k) { return dz + (long long)k * out + j0; }},
		[&](const Stage<size> &stage) {
			if (!sums) return;
			UNROLL for (int k = 0; k < tileDepth; k++) total += stage.right[k][threadIdx.x];
		},
		[&](int i, int j, float sum) {
			if (k0 + i >= in || j0 + j >= out) return;
			part[(long long)(k0 + i) * out + j0 + j] = sum;
			check(a.control, a.instruction, sum);
		});
	int col = j0 + threadIdx.x;
	if (!sums || col >= out) return;
	part[(long long)in * out + col] = total;
	check(a.control, a.instruction, total);
}

template <int size>
__device__ __forceinline__ void gradientTile(const DenseGradArgs &a, void *memory) {
	TileMemory<size> &t = *static_cast<TileMemory<size> *>(memory);
	int tile = blockIdx.x;
	if (tile < a.inputTiles) {
		inputGradient<size>(a, t, tile);
	} else {
		weightGradient<size>(a, t, tile - a.inputTiles);
	}
}

KERNEL_OF_MANY(dense_grad, DenseGradArgs, tileThreads, 2) {
	SHARED(char, memory);
	if (skip(a.control, a.instruction)) return;
	if (a.tile == 32) {
		gradientTile<32>(a, memory);
	} else {
		gradientTile<64>(a, memory);
	}
}

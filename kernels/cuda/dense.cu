// kernels.Dense: y = epilogue(x·w + b), a tile a block.
#include "product.cuh"

struct DenseArgs {
	Control *control;
	Matrix x, y, z; // z.data is null where it is not kept
	const float *w, *b;
	Epilogue epilogue;
	int instruction, precision;
	int tile, reserved;
};

template <int size>
__device__ __forceinline__ void denseTile(const DenseArgs &a, void *memory) {
	const Control &c = *a.control;
	int i0 = blockIdx.y * size, j0 = blockIdx.x * size, in = a.x.cols, out = a.y.cols, n = c.n;
	if (i0 >= n) return;
	Draws draws = {};
	product(
		a.precision, *static_cast<TileMemory<size> *>(memory), in,
		Operand{terms, n - i0, [&](int i) { return rowOf(a.x, c, i0 + i); }},
		Operand{neighboursOf(a.w, out), out - j0, [&](int k) { return a.w + (long long)k * out + j0; }},
		[](const Stage<size> &) {},
		[&](int i, int j, float z) {
			int row = i0 + i, col = j0 + j;
			if (row >= n || col >= out) return;
			wide element = (wide)row * out + col;
			if (a.b) z += a.b[col];
			if (a.z.data) a.z.data[element] = z;
			check(a.control, a.instruction, z);
			float y = forward(a.epilogue, c, draws, z, element);
			a.y.data[element] = y;
			check(a.control, a.instruction, y);
		});
}

KERNEL_OF_MANY(dense, DenseArgs, tileThreads, 2) {
	SHARED(char, memory);
	if (skip(a.control, a.instruction)) return;
	if (a.tile == 32) {
		denseTile<32>(a, memory);
	} else {
		denseTile<64>(a, memory);
	}
}

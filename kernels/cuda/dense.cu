// kernels.Dense: y = epilogue(x·w + b), a tile a block.
#include "product.cuh"

struct DenseArgs {
	Control *control;
	Matrix x, y, z; // z.data is null where it is not kept
	const float *w, *b;
	Epilogue epilogue;
	int instruction, precision;
};

KERNEL(dense, DenseArgs, tileThreads) {
	SHARED(TileMemory, memory);
	const Control &c = *a.control;
	int i0 = blockIdx.y * tileSize, j0 = blockIdx.x * tileSize, in = a.x.cols, out = a.y.cols, n = c.n;
	if (skip(a.control, a.instruction) || i0 >= n) return;
	Draws draws = {};
	product(
		a.precision, memory, in,
		Operand{terms, [&](int i, int k) { return i0 + i < n && k < in ? rowOf(a.x, c, i0 + i) + k : nullptr; }},
		Operand{neighboursOf(a.w, out), [&](int j, int k) { return k < in && j0 + j < out ? a.w + (long long)k * out + j0 + j : nullptr; }},
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

// kernels.Dense: y = epilogue(x·w + b), a tile a block.
#include "product.cuh"

struct DenseArgs {
	Control *control;
	Matrix x, y, z; // z.data is null where it is not kept
	const float *w, *b;
	Epilogue epilogue;
	int instruction, reserved;
};

KERNEL(dense, DenseArgs, tileThreads) {
	SHARED(TileMemory, memory);
	const Control &c = *a.control;
	int i0 = blockIdx.y * tileSize, j0 = blockIdx.x * tileSize, in = a.x.cols, out = a.y.cols, n = c.n;
	if (skip(a.control, a.instruction) || i0 >= n) return;
	float sum[4][4] = {};
	product(
		sum, memory, in,
		[&](int i, int k) { return i0 + i < n && k < in ? rowOf(a.x, c, i0 + i)[k] : 0; },
		[&](int k, int j) { return k < in && j0 + j < out ? a.w[(long long)k * out + j0 + j] : 0; });
	Draws draws = {};
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			int row = i0 + threadIdx.x / 16 * 4 + i, col = j0 + threadIdx.x % 16 * 4 + j;
			if (row >= n || col >= out) continue;
			wide element = (wide)row * out + col;
			float z = sum[i][j] + (a.b ? a.b[col] : 0);
			if (a.z.data) {
				a.z.data[element] = z;
			}
			check(a.control, a.instruction, z);
			float y = forward(a.epilogue, c, draws, z, element);
			a.y.data[element] = y;
			check(a.control, a.instruction, y);
		}
	}
}

// kernels.DenseGrad in four kernels: dy becomes dz; dx; parts of dw and db, a run
// of samples a part; and the sums of the parts, in ascending order.
#include "product.cuh"

struct DenseGradArgs {
	Control *control;
	Matrix x, y, z, dy, dx;
	const float *w;
	float *dw, *db;
	float *parts; // a part is in×out, and a row of out for db
	Epilogue epilogue;
	int instruction;
	int samples; // of a part
	int precision, reserved;
};

KERNEL(dense_grad_outer, DenseGradArgs, 256) {
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	wide count = (wide)c.n * a.y.cols, first = ((wide)blockIdx.x * 256 + threadIdx.x) * 4;
	Draws draws = {};
	for (wide e = first; e < first + 4 && e < count; e++) {
		float z = a.z.data ? a.z.data[e] : 0;
		float dz = backward(a.epilogue, c, draws, a.dy.data[e], a.y.data[e], z, e);
		a.dy.data[e] = dz;
		check(a.control, a.instruction, dz);
	}
}

KERNEL(dense_grad_input, DenseGradArgs, tileThreads) {
	SHARED(TileMemory, memory);
	const Control &c = *a.control;
	int i0 = blockIdx.y * tileSize, j0 = blockIdx.x * tileSize, in = a.x.cols, out = a.y.cols, n = c.n;
	if (skip(a.control, a.instruction) || i0 >= n) return;
	product(
		a.precision, memory, out,
		Operand{terms, [&](int i, int k) { return i0 + i < n && k < out ? a.dy.data + (long long)(i0 + i) * out + k : nullptr; }},
		Operand{terms, [&](int j, int k) { return k < out && j0 + j < in ? a.w + (long long)(j0 + j) * out + k : nullptr; }},
		[&](int i, int j, float sum) {
			if (i0 + i >= n || j0 + j >= in) return;
			a.dx.data[(long long)(i0 + i) * in + j0 + j] = sum;
			check(a.control, a.instruction, sum);
		});
}

// A block is a tile of one part of dw; the blocks of the first row of tiles sum
// their columns for db besides.
KERNEL(dense_grad_parts, DenseGradArgs, tileThreads) {
	SHARED(TileMemory, memory);
	const Control &c = *a.control;
	int k0 = blockIdx.y * tileSize, j0 = blockIdx.x * tileSize, in = a.x.cols, out = a.y.cols;
	int first = blockIdx.z * a.samples, samples = min(a.samples, c.n - first);
	if (skip(a.control, a.instruction) || samples <= 0) return;
	float *part = a.parts + (long long)blockIdx.z * (in + 1) * out;
	const float *x = a.x.gathered ? c.x : a.x.data;
	product(
		a.precision, memory, samples,
		Operand{neighboursOf(x, in), [&](int i, int k) { return k0 + i < in && k < samples ? rowOf(a.x, c, first + k) + k0 + i : nullptr; }},
		Operand{neighboursOf(a.dy.data, out),
			[&](int j, int k) { return k < samples && j0 + j < out ? a.dy.data + (long long)(first + k) * out + j0 + j : nullptr; }},
		[&](int i, int j, float sum) {
			if (k0 + i < in && j0 + j < out) part[(long long)(k0 + i) * out + j0 + j] = sum;
		});
	int col = j0 + threadIdx.x;
	if (a.db && k0 == 0 && threadIdx.x < tileSize && col < out) {
		float total = 0;
		for (int k = 0; k < samples; k++) total += a.dy.data[(long long)(first + k) * out + col];
		part[(long long)in * out + col] = total;
	}
}

KERNEL(dense_grad_sum, DenseGradArgs, 256) {
	const Control &c = *a.control;
	int in = a.x.cols, out = a.y.cols;
	long long weights = (long long)in * out, e = (long long)blockIdx.x * 256 + threadIdx.x, size = weights + out;
	if (skip(a.control, a.instruction) || e >= (a.db ? size : weights)) return;
	float sum = 0;
	for (int first = 0, part = 0; first < c.n; first += a.samples, part++) sum += a.parts[part * size + e];
	(e < weights ? a.dw[e] : a.db[e - weights]) = sum;
	check(a.control, a.instruction, sum);
}

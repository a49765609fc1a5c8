// kernels.Norm and kernels.NormGrad, with their sums in float64: layer norm a row a
// warp, batch norm a run of 32 columns a block.
#include "common.cuh"

struct NormArgs {
	Control *control;
	Matrix x, y, z, hat, dy, dx;
	float *invStd; // a value a row (layer norm) or a column (batch norm)
	const float *gain, *bias;
	float *runMean, *runVar, *dgain, *dbias;
	double *mean, *factor; // of the columns: mean and 1/std; sums of dz and dz·x̂ on the way back
	Epilogue epilogue;
	float epsilon, momentum;
	int instruction, reserved;
};

enum { warps = 8, columns = 32 };

// finish is what both norms do with x̂.
__device__ __forceinline__ void finish(const NormArgs &a, const Control &c, Draws &d, float hat, int row, int col) {
	wide element = (wide)row * a.y.cols + col;
	if (a.hat.data) a.hat.data[element] = hat;
	check(a.control, a.instruction, hat);
	float z = __fmul_rn(a.gain[col], hat) + a.bias[col];
	if (a.z.data) a.z.data[element] = z;
	check(a.control, a.instruction, z);
	float y = forward(a.epilogue, c, d, z, element);
	a.y.data[element] = y;
	check(a.control, a.instruction, y);
}

KERNEL(layer_norm, NormArgs, 32 * warps) {
	const Control &c = *a.control;
	int row = blockIdx.x * warps + threadIdx.x / 32, lane = threadIdx.x % 32, cols = a.y.cols;
	if (skip(a.control, a.instruction) || row >= c.n) return;
	const float *x = rowOf(a.x, c, row);
	double sum = 0, square = 0;
	for (int j = lane; j < cols; j += 32) sum += x[j];
	double mean = warpSum(sum) / cols;
	for (int j = lane; j < cols; j += 32) square += (x[j] - mean) * (x[j] - mean);
	double invStd = 1 / sqrt(warpSum(square) / cols + a.epsilon);
	if (a.invStd && lane == 0) {
		a.invStd[row] = (float)invStd;
		check(a.control, a.instruction, (float)invStd);
	}
	Draws draws = {};
	for (int j = lane; j < cols; j += 32) finish(a, c, draws, (float)((x[j] - mean) * invStd), row, j);
}

KERNEL(layer_norm_grad, NormArgs, 32 * warps) {
	const Control &c = *a.control;
	int row = blockIdx.x * warps + threadIdx.x / 32, lane = threadIdx.x % 32, cols = a.y.cols;
	if (skip(a.control, a.instruction) || row >= c.n) return;
	float *dz = a.dy.data + (long long)row * cols;
	const float *hat = a.hat.data + (long long)row * cols;
	double sum = 0, dot = 0;
	for (int j = lane; j < cols; j += 32) {
		double h = (double)a.gain[j] * dz[j];
		sum += h, dot += h * hat[j];
	}
	sum = warpSum(sum) / cols, dot = warpSum(dot) / cols;
	for (int j = lane; j < cols; j += 32) {
		float dx = (float)(a.invStd[row] * ((double)a.gain[j] * dz[j] - sum - hat[j] * dot));
		a.dx.data[(long long)row * cols + j] = dx;
		check(a.control, a.instruction, dx);
	}
}

// outer takes dy through the epilogue's gradient, of a norm or of a dense layer.
KERNEL(outer, NormArgs, 256) {
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

// columnSum adds up the warps' parts of a column, in their order.
__device__ __forceinline__ double columnSum(double *part, double v) {
	int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
	__syncthreads();
	part[warp * columns + lane] = v;
	__syncthreads();
	double sum = 0;
	for (int w = 0; w < warps; w++) sum += part[w * columns + lane];
	return sum;
}

KERNEL(batch_norm_columns, NormArgs, 32 * warps) {
	SHARED(double, part);
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	int warp = threadIdx.x / 32, j = blockIdx.x * columns + threadIdx.x % 32, cols = a.y.cols;
	double mean, variance;
	if (c.training) {
		double sum = 0, square = 0;
		for (int i = warp; j < cols && i < c.n; i += warps) sum += rowOf(a.x, c, i)[j];
		mean = columnSum(part, sum) / c.n;
		for (int i = warp; j < cols && i < c.n; i += warps) {
			double d = rowOf(a.x, c, i)[j] - mean;
			square += d * d;
		}
		variance = columnSum(part, square) / c.n;
	} else if (j < cols) {
		mean = a.runMean[j], variance = a.runVar[j];
	}
	if (warp > 0 || j >= cols) return;
	a.mean[j] = mean;
	a.factor[j] = 1 / sqrt(variance + a.epsilon);
	if (!c.training) return;
	double momentum = a.momentum;
	a.runMean[j] = (float)((1 - momentum) * a.runMean[j] + momentum * mean);
	if (c.n > 1) a.runVar[j] = (float)((1 - momentum) * a.runVar[j] + momentum * (variance * c.n / (c.n - 1)));
	check(a.control, a.instruction, a.runMean[j]);
	check(a.control, a.instruction, a.runVar[j]);
	if (a.invStd) {
		a.invStd[j] = (float)a.factor[j];
		check(a.control, a.instruction, a.invStd[j]);
	}
}

KERNEL(batch_norm_rows, NormArgs, 256) {
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	int cols = a.y.cols;
	wide count = (wide)c.n * cols, first = ((wide)blockIdx.x * 256 + threadIdx.x) * 4;
	Draws draws = {};
	for (wide e = first; e < first + 4 && e < count; e++) {
		int row = (int)(e / cols), col = (int)(e % cols);
		finish(a, c, draws, (float)((rowOf(a.x, c, row)[col] - a.mean[col]) * a.factor[col]), row, col);
	}
}

// norm_sums is the gradients of gain and bias.
KERNEL(norm_sums, NormArgs, 32 * warps) {
	SHARED(double, part);
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	int warp = threadIdx.x / 32, j = blockIdx.x * columns + threadIdx.x % 32, cols = a.y.cols;
	double bias = 0, gain = 0;
	for (int i = warp; j < cols && i < c.n; i += warps) {
		double dz = a.dy.data[(long long)i * cols + j];
		bias += dz, gain += dz * a.hat.data[(long long)i * cols + j];
	}
	bias = columnSum(part, bias), gain = columnSum(part, gain);
	if (warp > 0 || j >= cols) return;
	a.mean[j] = bias, a.factor[j] = gain;
	a.dbias[j] = (float)bias, a.dgain[j] = (float)gain;
	check(a.control, a.instruction, a.dbias[j]);
	check(a.control, a.instruction, a.dgain[j]);
}

KERNEL(batch_norm_input, NormArgs, 256) {
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	int cols = a.y.cols;
	wide count = (wide)c.n * cols, first = ((wide)blockIdx.x * 256 + threadIdx.x) * 4;
	for (wide e = first; e < first + 4 && e < count; e++) {
		int j = (int)(e % cols);
		double inner = a.dy.data[e] - a.mean[j] / c.n - a.hat.data[e] * a.factor[j] / c.n;
		float dx = (float)((double)a.gain[j] * a.invStd[j] * inner);
		a.dx.data[e] = dx;
		check(a.control, a.instruction, dx);
	}
}

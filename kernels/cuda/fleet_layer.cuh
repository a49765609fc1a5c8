// One layer of a fleet's network, for a tile of samples: forward and backward.
#pragma once
#include "fleet.cuh"
#include "fleet_product.cuh"

// Input is what a layer reads, a row a sample. It is a place rather than an address:
// of an address that may be one of two the compiler forgets that it is in shared memory.
struct Input {
	int shared, pitch;
};

__device__ __forceinline__ Input inputOf(const Block &b, int layer) {
	if (layer == 0) return {b.t.sharedInput, b.t.inputPitch};
	const FleetLayer &l = b.t.layer[layer - 1];
	return {l.sharedY, l.pitch};
}

// isPlain is whether an epilogue is a ReLU or nothing: it needs no random words, and
// its gradient no more than the sign of what it gave.
__device__ __forceinline__ bool isPlain(const Block &b, const FleetLayer &l) {
	return (l.epilogue.activation == relu || l.epilogue.activation == identity) && !(l.epilogue.dropRate > 0 && b.c.training);
}

// leave copies a layer's outputs, sums or gradients from shared memory to the arena.
__device__ __forceinline__ void leave(Block &b, const FleetLayer &l, int shared, int arena) {
	for (int e = threadIdx.x; e < b.rows * l.out; e += fleetThreads) {
		b.t.arena[arena + b.first * l.out + e] = b.shared[shared + e / l.out * l.pitch + e % l.out];
	}
}

// eachFour calls each(place in the row-major tile of a layer's outputs, row, first
// column, count of columns up to 4) for fours of neighbours: they share one block of
// random words, where rows are a multiple of four.
template <class Each>
__device__ __forceinline__ void eachFour(const Block &b, const FleetLayer &l, Each each) {
	int fours = (l.out + 3) / 4;
	ROLLED for (int part = threadIdx.x; part < b.rows * fours; part += fleetThreads) {
		int i = part / fours, j = part % fours * 4;
		each(i * l.pitch + j, i, j, min(4, l.out - j));
	}
}

// activateFour makes outputs of sums: y has z, which goes to where z is kept.
__device__ __forceinline__ void activateFour(Block &b, const FleetLayer &l, int at, int i, int j, int count) {
	float *y = b.shared + l.sharedY + at;
	wide element = (wide)(b.first + i) * l.out + j;
	Draws draws = {};
	bool fine = true;
	ROLLED for (int q = 0; q < count; q++) {
		float z = y[q];
		if (l.sharedB >= 0) z += b.shared[l.sharedB + j + q];
		if (l.sharedZ >= 0) b.shared[l.sharedZ + at + q] = z;
		float v = forward(l.epilogue, b.c, draws, z, element + q);
		y[q] = v;
		fine = fine && isFinite(z) && isFinite(v);
	}
	note(b, l.forward, fine);
}

// rectify makes outputs of R×4 sums of a layer with a plain epilogue, in registers.
template <int R>
__device__ __forceinline__ void rectify(Block &b, const FleetLayer &l, float sum[R][4], int j) {
	float bias[4] = {};
	if (l.sharedB >= 0) load4(bias, b.shared + l.sharedB + j);
	bool fine = true;
	UNROLL for (int r = 0; r < R; r++) {
		UNROLL for (int q = 0; q < 4; q++) {
			if (l.sharedB >= 0) sum[r][q] += bias[q];
			fine &= j + q >= l.out | isFinite(sum[r][q]);
			if (l.epilogue.activation == relu && sum[r][q] <= 0) sum[r][q] = 0; // a NaN stays
		}
	}
	note(b, l.forward, fine);
}

// forwardProduct leaves the sums of a layer where its outputs belong, or the outputs,
// where its epilogue is plain.
__device__ __forceinline__ void forwardProduct(Block &b, const FleetLayer &l, Input x, const float *w, bool plain) {
	atBestHeight(b.rows, l.out, [&](auto height) {
		constexpr int R = decltype(height)::rows;
		eachPart<R>(b.rows, l.out, [&](int i, int j, int) {
			float sum[R][4] = {};
			Along<R> left;
			UNROLL for (int r = 0; r < R; r++) left.at[r] = b.shared + x.shared + min(i + r, b.rows - 1) * x.pitch;
			Across<4> right = {{w + 4 * j}, l.stride};
			addTerms<R>(sum, l.in, left, right);
			if (plain) rectify<R>(b, l, sum, 4 * j);
			float *y = b.shared + l.sharedY + i * l.pitch + 4 * j;
			UNROLL for (int r = 0; r < R; r++) {
				if (i + r < b.rows) store4(y + r * l.pitch, sum[r]);
			}
		});
	});
	__syncthreads();
}

__device__ __forceinline__ void forwardLayer(Block &b, int index) {
	const FleetLayer l = b.t.layer[index];
	bool plain = isPlain(b, l) && l.sharedZ < 0;
	if (l.sharedW >= 0) { // of one pointer to either the compiler would not know that it is to shared memory
		forwardProduct(b, l, inputOf(b, index), b.shared + l.sharedW, plain);
	} else {
		forwardProduct(b, l, inputOf(b, index), b.t.arena + l.w, plain);
	}
	if (!plain) {
		eachFour(b, l, [&](int at, int i, int j, int count) { activateFour(b, l, at, i, j, count); });
		__syncthreads();
	}
	if (!b.t.keep) return;
	if (l.z >= 0) leave(b, l, l.sharedZ, l.z);
	leave(b, l, l.sharedY, l.y);
}

// lossGradient puts the gradient of the last layer's sums where its outputs were:
// they are read for the last time.
__device__ __forceinline__ void lossGradient(Block &b) {
	const FleetLayer l = b.t.layer[b.t.layers - 1];
	eachFour(b, l, [&](int at, int i, int j, int count) {
		float *y = b.shared + l.sharedY + at;
		wide element = (wide)(b.first + i) * l.out + j;
		Draws draws = {};
		bool fine = true;
		ROLLED for (int q = 0; q < count; q++) {
			float z = l.sharedZ >= 0 ? b.shared[l.sharedZ + at + q] : 0;
			y[q] = backward(l.epilogue, b.c, draws, b.shared[b.t.sharedLoss + at + q], y[q], z, element + q);
			fine = fine && isFinite(y[q]);
		}
		note(b, l.backward, fine);
	});
	__syncthreads();
	if (b.t.keep) leave(b, l, l.sharedY, l.dy);
}

// setSlopes puts the derivative of a layer's epilogue where its outputs were, but
// for the factor that all share which are not dropped; 0 where they are.
__device__ __forceinline__ void setSlopes(Block &b, const FleetLayer &l) {
	const Epilogue &e = l.epilogue;
	eachFour(b, l, [&](int at, int i, int j, int count) {
		float *y = b.shared + l.sharedY + at;
		wide element = (wide)(b.first + i) * l.out + j;
		Draws draws = {};
		ROLLED for (int q = 0; q < count; q++) {
			float v = y[q], z = l.sharedZ >= 0 ? b.shared[l.sharedZ + at + q] : 0;
			bool kept = true;
			if (e.dropRate > 0) {
				kept = keep(draws, b.c, e.stream, element + q, e.dropRate);
				v *= 1 - e.dropRate;
			}
			y[q] = kept ? slope(e.activation, v, z) : 0;
		}
	});
	__syncthreads();
}

// handDown makes the gradient of a layer's sums, in their place, of R×4 gradients of
// its outputs, whose columns are across apart. There are slopes, or outputs of a ReLU.
// A column outside stands for the thread's first, and is not written. All loads come
// first, so that a thread waits once.
template <int R, bool slopes>
__device__ __forceinline__ void handDown(Block &b, const FleetLayer &l, float above[R][4], int i, int j, int across, int instruction) {
	float scale = l.epilogue.dropRate > 0 ? 1 / (1 - l.epilogue.dropRate) : 1;
	float *at[4], was[R][4];
	bool fineAbove = true, fine = true;
	UNROLL for (int q = 0; q < 4; q++) {
		at[q] = b.shared + l.sharedY + j + (j + q * across < l.out ? q * across : 0);
		UNROLL for (int r = 0; r < R; r++) was[r][q] = at[q][min(i + r, b.rows - 1) * l.pitch];
	}
	UNROLL for (int r = 0; r < R; r++) {
		UNROLL for (int q = 0; q < 4; q++) {
			bool inside = (i + r < b.rows) & (j + q * across < l.out);
			float dy = above[r][q], dz = slopes ? (was[r][q] == 0 ? 0 : dy * scale * was[r][q]) : (was[r][q] <= 0 ? 0 : dy);
			fineAbove &= isFinite(dy), fine &= isFinite(dz) | !inside;
			if (inside) at[q][(i + r) * l.pitch] = dz;
		}
	}
	note(b, instruction, fineAbove);
	if (slopes) note(b, l.backward, fine); // a ReLU hands down what has been looked at, or 0
}

// addFours adds R×4 sums to a gradient, rows of it stride apart: all loads first,
// then all stores.
template <int R>
__device__ __forceinline__ void addFours(float *to, int stride, int rows, float sum[R][4]) {
	float v[R][4];
	UNROLL for (int r = 0; r < R; r++) load4(v[r], to + min(r, rows - 1) * stride);
	UNROLL for (int r = 0; r < R; r++) {
		UNROLL for (int q = 0; q < 4; q++) v[r][q] += sum[r][q];
		if (r < rows) store4(to + r * stride, v[r]);
	}
}

// tallRows is how many rows of a weight gradient go to the threads eight at a time:
// what fills all threads, and the rest too unless four at a time are faster, although
// those go to shared memory five times for four cycles of arithmetic.
__device__ __forceinline__ int tallRows(int rows, int cols) {
	int whole = max(fleetThreads / ((cols + 3) / 4), 1) * 8, rest = rows % whole;
	return 4 * turns<8>(rest, cols) <= 5 * turns<4>(rest, cols) ? rows : rows - rest;
}

// addWeightGradient adds the tile's share to rows of the gradient of a layer's weights,
// R of them a thread.
template <int R>
__device__ __forceinline__ void addWeightGradient(Block &b, const FleetLayer &l, Input x, int from, int to) {
	eachPart<R>(to - from, l.out, [&](int row, int j, int) {
		int i = from + row, at = l.gradW + i * l.gradStride + 4 * j;
		float sum[R][4] = {};
		Across<R> left;
		left.pitch = x.pitch;
		UNROLL for (int r = 0; r < R / 4; r++) left.at[r] = b.shared + x.shared + min(i + 4 * r, x.pitch - 4);
		Across<4> right = {{b.shared + l.sharedY + 4 * j}, l.pitch};
		addTerms<R>(sum, b.rows, left, right);
		if (b.t.grads) {
			addFours<R>(b.grads + at, l.gradStride, to - i, sum);
		} else { // the compiler knows that this is shared memory
			addFours<R>(b.shared + b.t.params + at, l.gradStride, to - i, sum);
		}
	});
}

// addBiasGradient is for the last threads: the first may have more weights.
__device__ __forceinline__ void addBiasGradient(Block &b, const FleetLayer &l) {
	for (int j = fleetThreads - 1 - threadIdx.x; j < l.out; j += fleetThreads) {
		const float *dz = b.shared + l.sharedY + j;
		float sum = 0;
		int i = 0;
		for (; i + 8 <= b.rows; i += 8) {
			float v[8];
			UNROLL for (int r = 0; r < 8; r++) v[r] = dz[(i + r) * l.pitch];
			UNROLL for (int r = 0; r < 8; r++) sum += v[r];
		}
		ROLLED for (; i < b.rows; i++) sum += dz[i * l.pitch];
		b.grads[l.gradB + j] += sum;
	}
}

// addGradients adds the tile's share to the gradients of a layer whose dz is known.
__device__ __forceinline__ void addGradients(Block &b, int index) {
	const FleetLayer l = b.t.layer[index];
	Input x = inputOf(b, index);
	int tall = tallRows(l.in, l.out);
	addWeightGradient<8>(b, l, x, 0, tall);
	addWeightGradient<4>(b, l, x, tall, l.in);
	if (l.sharedB >= 0) addBiasGradient(b, l);
	__syncthreads();
}

// propagate makes the dz of the layer below one, not the first, whose dz is known.
__device__ __forceinline__ void propagate(Block &b, int index) {
	const FleetLayer l = b.t.layer[index];
	const FleetLayer below = b.t.layer[index - 1];
	bool slopes = !(isPlain(b, below) && below.epilogue.activation == relu);
	if (slopes) setSlopes(b, below);
	const float *dz = b.shared + l.sharedY, *w = b.shared + l.sharedW;
	atBestHeight(b.rows, l.in, [&](auto height) {
		constexpr int R = decltype(height)::rows;
		eachPart<R>(b.rows, l.in, [&](int i, int j, int across) {
			float sum[R][4] = {};
			Along<R> left;
			Along<4> right;
			UNROLL for (int r = 0; r < R; r++) left.at[r] = dz + min(i + r, b.rows - 1) * l.pitch;
			UNROLL for (int q = 0; q < 4; q++) right.at[q] = w + min(j + q * across, l.in - 1) * l.stride;
			addTerms<R>(sum, l.out, left, right);
			if (slopes) {
				handDown<R, true>(b, below, sum, i, j, across, l.backward);
			} else {
				handDown<R, false>(b, below, sum, i, j, across, l.backward);
			}
		});
	});
	__syncthreads();
	if (b.t.keep) leave(b, below, below.sharedY, below.dy);
}

// backwardLayer is both of one layer.
__device__ __forceinline__ void backwardLayer(Block &b, int index) {
	addGradients(b, index);
	if (index > 0) propagate(b, index);
}

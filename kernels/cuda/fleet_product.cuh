// The products of a fleet's layers: both operands in shared memory, R×4 elements a
// thread, an element's terms in ascending order.
//
// What decides is how often a warp goes to shared memory. A multiprocessor serves
// 128 bytes there in a cycle and multiplies 128 times (CUDA C++ Programming Guide,
// throughput of arithmetic instructions, 9.0), so of 4 terms a thread's R×4 elements
// have 4·R cycles in a scheduler, in which a warp may be served R times 4 as each of
// the four schedulers has one. Four floats at once of one address for the whole warp
// cost one service, of 32 addresses four: an operand of R rows that the lanes share
// costs R, one of 4 columns each sixteen, R+16 against 4·R.
#pragma once
#include "common.cuh"

// Along is N rows or columns of an operand whose terms lie side by side. Their
// starts are aligned to 16 bytes. It moves along as its terms are taken.
template <int N>
struct Along {
	const float *at[N];
	__device__ __forceinline__ void four(float (*v)[N]) {
		UNROLL for (int n = 0; n < N; n++) {
			float run[4];
			load4(run, at[n]);
			UNROLL for (int term = 0; term < 4; term++) v[term][n] = run[term];
			at[n] += 4;
		}
	}
	__device__ __forceinline__ void one(float *v) {
		UNROLL for (int n = 0; n < N; n++) v[n] = *at[n]++;
	}
};

// Across is N rows or columns of an operand in which neighbours lie side by side, in
// fours that are aligned to 16 bytes, and terms pitch apart.
template <int N>
struct Across {
	const float *at[N / 4];
	int pitch;
	__device__ __forceinline__ void one(float *v) {
		UNROLL for (int n = 0; n < N / 4; n++) load4(v + 4 * n, at[n]), at[n] += pitch;
	}
	__device__ __forceinline__ void four(float (*v)[N]) {
		UNROLL for (int term = 0; term < 4; term++) one(v[term]);
	}
};

template <int R>
__device__ __forceinline__ void multiply(float (*sum)[4], const float *x, const float *y) {
	UNROLL for (int r = 0; r < R; r++) {
		UNROLL for (int q = 0; q < 4; q++) sum[r][q] = fmaf(x[r], y[q], sum[r][q]);
	}
}

// addTerms adds left(r, k)·right(k, q) to sum[r][q] for k from 0 to depth.
template <int R, class Left, class Right>
__device__ __forceinline__ void addTerms(float (*sum)[4], int depth, Left left, Right right) {
	UNROLL_TWICE for (int fours = depth / 4; fours > 0; fours--) {
		float x[4][R], y[4][4];
		left.four(x), right.four(y);
		UNROLL for (int term = 0; term < 4; term++) multiply<R>(sum, x[term], y[term]);
	}
	ROLLED for (int rest = depth % 4; rest > 0; rest--) {
		float x[R], y[4];
		left.one(x), right.one(y);
		multiply<R>(sum, x, y);
	}
}

// Height is a thread's rows as a value, for a choice among compiled ones.
template <int R>
struct Height {
	enum { rows = R };
};

// eachPart calls part(first row, number among the fours of columns, their count) for
// what a thread has to do of rows×cols elements.
template <int R, class Part>
__device__ __forceinline__ void eachPart(int rows, int cols, Part part) {
	int down = (rows + R - 1) / R, across = (cols + 3) / 4;
	ROLLED for (int p = threadIdx.x; p < down * across; p += fleetThreads) part(p / across * R, p % across, across);
}

// turns is how many elements of a column the busiest of the four schedulers has to
// add up, with parts of R×4 elements to a thread.
template <int R>
__device__ __forceinline__ int turns(int rows, int cols) {
	return ((rows + R - 1) / R * ((cols + 3) / 4) + 127) / 128 * R;
}

// atBestHeight calls product(Height) with the height that keeps schedulers busy: 6
// fits tiles of 48 rows, 8 those of 64, 3 narrow layers.
template <class Product>
__device__ __forceinline__ void atBestHeight(int rows, int cols, Product product) {
	int eight = turns<8>(rows, cols), six = turns<6>(rows, cols), three = turns<3>(rows, cols);
	if (eight <= six && eight <= three) {
		product(Height<8>());
	} else if (six <= three) {
		product(Height<6>());
	} else {
		product(Height<3>());
	}
}

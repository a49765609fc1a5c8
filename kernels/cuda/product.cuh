// A tile of a matrix product: 32×32 or 64×64 elements by 256 threads, both operands
// staged through shared memory 16 terms at a time, those of the next stages on their
// way while these are added. In float32 a thread has 2×2 or 4×4 elements and adds their
// terms in ascending order, in one rounding each. In tf32 and bf16 a warp has 16×8 or
// 16×32 elements on the matrix units: operands are rounded to 11 or 8 significant bits,
// sums stay float32. An element is the same to the bit in a tile of either size.
#pragma once
#include "common.cuh"

enum { tileDepth = 16, tileThreads = 256 };

enum Precision { float32, tf32, bf16 };

// Stage is tileDepth terms of both operands. Rows are padded by what keeps their
// fours aligned.
template <int size>
struct Stage {
	alignas(16) float left[tileDepth][size + 4];
	alignas(16) float right[tileDepth][size + 4];
};

// RoundedStage is a Stage for the matrix units: terms k and k+1 of bf16 in one word.
// Rows are padded so that the 4×8 words that a warp reads are of 32 banks.
template <int size>
struct RoundedStage {
	word left[tileDepth][size + 8];
	word right[tileDepth][size + 8];
};

// TileMemory is what the threads of a tile share: the stages, then the sums. The
// smaller tile is that of small products, whose time is the way of their terms: it
// has 128 of them on the way.
template <int size>
union TileMemory {
	enum { stages = size == 32 ? 8 : 4 };
	struct {
		Stage<size> stage[stages];
		RoundedStage<size> rounded;
	};
	alignas(16) float sum[size][size + 4];
};

// Lie is what lies side by side in an operand's memory: terms of one row or column
// of the tile, or the same term of neighbours, which may be fetched one by one or,
// where every fourth starts at a multiple of 16 bytes, four at once.
enum Lie { terms, neighbours, fours };

// Operand is a matrix seen from the tile, of which so many rows or columns are inside.
// line(index) is where the terms of the tile's row or column index begin or, where
// neighbours lie side by side, the neighbours of term index. It is called inside alone.
template <class Line>
struct Operand {
	Lie lie;
	int inside;
	Line line;
};
template <class Line>
Operand(Lie, int, Line) -> Operand<Line>;

// neighboursOf is how neighbours in the rows of a matrix may be fetched.
__device__ __forceinline__ Lie neighboursOf(const float *data, int cols) {
	return cols % 4 == 0 && reinterpret_cast<unsigned long long>(data) % 16 == 0 ? fours : neighbours;
}

// Lines are where a thread's terms begin, which stays the same from stage to stage
// where terms lie side by side; null outside.
template <int size>
struct Lines {
	enum { loads = size * tileDepth / tileThreads };
	const float *line[loads];
};

template <int size, class Line>
__device__ __forceinline__ Lines<size> linesOf(const Operand<Line> &operand) {
	Lines<size> lines = {};
	if (operand.lie != terms) return lines;
	UNROLL for (int load = 0; load < lines.loads; load++) {
		int i = (load * tileThreads + threadIdx.x) / tileDepth;
		if (i < operand.inside) lines.line[load] = operand.line(i) + threadIdx.x % tileDepth;
	}
	return lines;
}

// fetch begins to copy the terms from k0 on; what lies outside is 0.
template <int size, class Line>
__device__ __forceinline__ void fetch(float (*to)[size + 4], const Operand<Line> &operand, const Lines<size> &lines, int k0, int depth) {
	int thread = threadIdx.x;
	if (operand.lie == fours) {
		int k = thread / (size / 4), i = thread % (size / 4) * 4;
		if (k >= tileDepth) return;
		if (k0 + k < depth && i < operand.inside) {
			copyAsync<16>(&to[k][i], operand.line(k0 + k) + i);
		} else {
			UNROLL for (int r = 0; r < 4; r++) to[k][i + r] = 0;
		}
		return;
	}
	UNROLL for (int load = 0; load < lines.loads; load++) {
		int e = load * tileThreads + thread;
		int k = operand.lie == terms ? e % tileDepth : e / size, i = operand.lie == terms ? e / tileDepth : e % size;
		bool inside = k0 + k < depth && (operand.lie == terms ? lines.line[load] != nullptr : i < operand.inside);
		if (inside) {
			copyAsync<4>(&to[k][i], operand.lie == terms ? lines.line[load] + k0 : operand.line(k0 + k) + i);
		} else {
			to[k][i] = 0;
		}
	}
}

// overTerms calls each(stage) for tileDepth terms after the other, in ascending order.
template <int size, class Left, class Right, class Each>
__device__ __forceinline__ void overTerms(TileMemory<size> &t, int depth, const Left &left, const Right &right, Each each) {
	enum { ahead = TileMemory<size>::stages - 1 };
	Lines<size> leftLines = linesOf<size>(left), rightLines = linesOf<size>(right);
	auto begin = [&](int stage, int k0) {
		if (k0 < depth) {
			fetch<size>(t.stage[stage].left, left, leftLines, k0, depth);
			fetch<size>(t.stage[stage].right, right, rightLines, k0, depth);
		}
		copyCommit();
	};
	ROLLED for (int s = 0; s < ahead; s++) begin(s, s * tileDepth);
	ROLLED for (int k0 = 0, at = 0; k0 < depth; k0 += tileDepth, at = (at + 1) % (ahead + 1)) {
		copyWait<ahead - 1>();
		__syncthreads(); // these terms are there, and nobody reads the ones before any more
		begin((at + ahead) % (ahead + 1), k0 + ahead * tileDepth);
		each(t.stage[at]);
	}
}

// sumFloat32 leaves Σ left(i, k)·right(j, k) in t.sum. also(stage) is called with all
// terms in ascending order.
template <int size, class Left, class Right, class Also>
__device__ __forceinline__ void sumFloat32(TileMemory<size> &t, int depth, const Left &left, const Right &right, Also also) {
	enum { own = size / 16 };
	int row = threadIdx.x / 16 * own, col = threadIdx.x % 16 * own;
	float sum[own][own] = {};
	overTerms<size>(t, depth, left, right, [&](const Stage<size> &stage) {
		also(stage);
		UNROLL for (int k = 0; k < tileDepth; k++) {
			UNROLL for (int i = 0; i < own; i++) {
				UNROLL for (int j = 0; j < own; j++) sum[i][j] = fmaf(stage.left[k][row + i], stage.right[k][col + j], sum[i][j]);
			}
		}
	});
	__syncthreads(); // the sums take the place of the stages
	UNROLL for (int i = 0; i < own; i++) {
		UNROLL for (int j = 0; j < own; j++) t.sum[row + i][col + j] = sum[i][j];
	}
}

// roundTF32 rounds to 11 significant bits, ties away from zero. A NaN stays one: a
// GPU makes 0x7FFFFFFF, of which rounding as a number would make -0.
__device__ __forceinline__ word roundTF32(float v) {
	word bits = __float_as_uint(v);
	if (!(fabsf(v) <= 3.402823466e38f)) return bits | (v != v ? 0x400000u : 0u);
	return (bits + 0x1000u) & 0xFFFFE000u;
}

// roundBF16 rounds to 8 significant bits, ties to even, as the lower half of a word.
__device__ __forceinline__ word roundBF16(float v) {
	word bits = __float_as_uint(v);
	if (!(fabsf(v) <= 3.402823466e38f)) return bits >> 16 | (v != v ? 0x40u : 0u);
	return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

// roundOperand rounds an operand's terms, each once.
template <int size, Precision precision>
__device__ __forceinline__ void roundOperand(word (*to)[size + 8], const float (*from)[size + 4]) {
	enum { words = precision == bf16 ? tileDepth / 2 : tileDepth };
	UNROLL for (int turn = 0; turn < size * words / tileThreads; turn++) {
		int e = turn * tileThreads + threadIdx.x, k = e / size, i = e % size;
		to[k][i] = precision == bf16 ? roundBF16(from[2 * k][i]) | roundBF16(from[2 * k + 1][i]) << 16 : roundTF32(from[k][i]);
	}
}

// sumRounded is sumFloat32 on the matrix units. Lane 4·g+q of a warp holds, of a 16×8
// result, rows g and g+8, columns 2q and 2q+1; of operands, rows or columns g and g+8,
// words q and q+4 (PTX ISA, mma.m16n8k8 and mma.m16n8k16).
template <int size, Precision precision, class Left, class Right, class Also>
__device__ __forceinline__ void sumRounded(TileMemory<size> &t, int depth, const Left &left, const Right &right, Also also) {
	enum { down = size / 16, across = tileThreads / 32 / down, parts = size / across / 8 }; // warps, results of a warp
	int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, q = threadIdx.x % 4;
	int row = warp / across * 16 + g, col = warp % across * (size / across);
	float sum[parts][4] = {};
	overTerms<size>(t, depth, left, right, [&](const Stage<size> &stage) {
		also(stage);
		roundOperand<size, precision>(t.rounded.left, stage.left);
		roundOperand<size, precision>(t.rounded.right, stage.right);
		__syncthreads();
		UNROLL for (int k = q; k < (precision == bf16 ? 8 : 16); k += 8) {
			word a[4], b[2];
			UNROLL for (int r = 0; r < 4; r++) a[r] = t.rounded.left[k + r / 2 * 4][row + r % 2 * 8];
			UNROLL for (int part = 0; part < parts; part++) {
				UNROLL for (int r = 0; r < 2; r++) b[r] = t.rounded.right[k + r * 4][col + part * 8 + g];
				if (precision == bf16) {
					mmaBF16(sum[part], a, b);
				} else {
					mmaTF32(sum[part], a, b);
				}
			}
		}
	});
	__syncthreads(); // the sums take the place of the stages
	UNROLL for (int part = 0; part < parts; part++) {
		UNROLL for (int r = 0; r < 4; r++) t.sum[row + r / 2 * 8][col + part * 8 + 2 * q + r % 2] = sum[part][r];
	}
}

// product calls each(i, j, Σ left(i, k)·right(j, k)) for the tile's elements, for four
// neighbours one after the other, and also(stage) as sumFloat32 does. precision is the
// same for all threads.
template <int size, class Left, class Right, class Also, class Each>
__device__ __forceinline__ void product(int precision, TileMemory<size> &t, int depth, const Left &left, const Right &right, Also also, Each each) {
	switch (precision) {
	case tf32: sumRounded<size, tf32>(t, depth, left, right, also); break;
	case bf16: sumRounded<size, bf16>(t, depth, left, right, also); break;
	default: sumFloat32<size>(t, depth, left, right, also);
	}
	__syncthreads();
	ROLLED for (int e = threadIdx.x * 4; e < size * size; e += tileThreads * 4) {
		ROLLED for (int r = 0; r < 4; r++) each(e / size, e % size + r, t.sum[e / size][e % size + r]);
	}
}

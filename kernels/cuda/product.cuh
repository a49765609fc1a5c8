// A tile of a matrix product: 64×64 elements by 256 threads, both operands staged
// through shared memory 16 terms at a time, the next 16 on their way while these are
// added. In float32 a thread has 4×4 elements and adds their terms in ascending
// order, in one rounding each. In tf32 and bf16 a warp has 16×32 elements on the
// matrix units: operands are rounded to 11 or 8 significant bits, sums stay float32.
#pragma once
#include "common.cuh"

enum { tileSize = 64, tileDepth = 16, tileThreads = 256, tileStages = 2 };

enum Precision { float32, tf32, bf16 };

struct TileMemory {
	float left[tileDepth][tileSize + 4];
	float right[tileDepth][tileSize + 4];
};

// Lie is what lies side by side in an operand's memory: terms of one row or column
// of the tile, or the same term of neighbours, which may be fetched one by one or,
// where every fourth starts at a multiple of 16 bytes, four at once.
enum Lie { terms, neighbours, fours };

// Operand is a matrix seen from the tile: at(i, k) is where term k of the tile's row
// or column i lies. It is called inside and outside of the matrix, where it is null.
template <class At>
struct Operand {
	Lie lie;
	At at;
};
template <class At>
Operand(Lie, At) -> Operand<At>;

// neighboursOf is how neighbours in the rows of a matrix may be fetched.
__device__ __forceinline__ Lie neighboursOf(const float *data, int cols) {
	return cols % 4 == 0 && reinterpret_cast<unsigned long long>(data) % 16 == 0 ? fours : neighbours;
}

// fetch begins to copy the terms from k0 on; what lies outside is 0.
template <class At>
__device__ __forceinline__ void fetch(float (*to)[tileSize + 4], const Operand<At> &operand, int k0) {
	int thread = threadIdx.x;
	if (operand.lie == fours) {
		int k = thread / (tileSize / 4), i = thread % (tileSize / 4) * 4;
		const float *from = operand.at(i, k0 + k);
		if (from) {
			copyAsync<16>(&to[k][i], from);
		} else {
			UNROLL for (int r = 0; r < 4; r++) to[k][i + r] = 0;
		}
		return;
	}
	UNROLL for (int load = 0; load < tileSize * tileDepth / tileThreads; load++) {
		int e = load * tileThreads + thread;
		int k = operand.lie == terms ? e % tileDepth : e / tileSize, i = operand.lie == terms ? e / tileDepth : e % tileSize;
		const float *from = operand.at(i, k0 + k);
		if (from) {
			copyAsync<4>(&to[k][i], from);
		} else {
			to[k][i] = 0;
		}
	}
}

template <class Left, class Right>
__device__ __forceinline__ void stage(TileMemory &t, int k0, const Left &left, const Right &right) {
	fetch(t.left, left, k0);
	fetch(t.right, right, k0);
	copyCommit();
}

// overTerms calls each(terms in shared memory) for tileDepth terms after the other,
// in ascending order. memory is tileStages of them.
template <class Left, class Right, class Each>
__device__ __forceinline__ void overTerms(TileMemory *memory, int depth, const Left &left, const Right &right, Each each) {
	stage(memory[0], 0, left, right);
	for (int k0 = 0, at = 0; k0 < depth; k0 += tileDepth, at = 1 - at) {
		copyWait<0>();
		__syncthreads(); // these terms are there, and nobody reads the ones before any more
		if (k0 + tileDepth < depth) stage(memory[1 - at], k0 + tileDepth, left, right);
		each(memory[at]);
	}
}

// productFloat32 calls each(i, j, Σ left(i, k)·right(j, k)) for the tile's elements.
template <class Left, class Right, class Each>
__device__ __forceinline__ void productFloat32(TileMemory *memory, int depth, const Left &left, const Right &right, Each each) {
	int row = threadIdx.x / 16 * 4, col = threadIdx.x % 16 * 4;
	float sum[4][4] = {};
	overTerms(memory, depth, left, right, [&](const TileMemory &t) {
		UNROLL for (int k = 0; k < tileDepth; k++) {
			UNROLL for (int i = 0; i < 4; i++) {
				UNROLL for (int j = 0; j < 4; j++) sum[i][j] = fmaf(t.left[k][row + i], t.right[k][col + j], sum[i][j]);
			}
		}
	});
	UNROLL for (int i = 0; i < 4; i++) {
		UNROLL for (int j = 0; j < 4; j++) each(row + i, col + j, sum[i][j]);
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

// roundedTerms adds the terms in shared memory to the sums of a warp's lane.
__device__ __forceinline__ void roundedTerms(Precision precision, const TileMemory &t, int row, int col, int g, int q, float sum[4][4]) {
	for (int part = 0; part < 4; part++) {
		int j = col + part * 8 + g;
		if (precision == bf16) {
			word a[4], b[2];
			UNROLL for (int r = 0; r < 4; r++) {
				int i = row + r % 2 * 8, k = 2 * q + r / 2 * 8;
				a[r] = roundBF16(t.left[k][i]) | roundBF16(t.left[k + 1][i]) << 16;
			}
			UNROLL for (int r = 0; r < 2; r++) {
				int k = 2 * q + r * 8;
				b[r] = roundBF16(t.right[k][j]) | roundBF16(t.right[k + 1][j]) << 16;
			}
			mmaBF16(sum[part], a, b);
			continue;
		}
		UNROLL for (int half = 0; half < tileDepth; half += 8) {
			word a[4], b[2];
			UNROLL for (int r = 0; r < 4; r++) a[r] = roundTF32(t.left[half + q + r / 2 * 4][row + r % 2 * 8]);
			UNROLL for (int r = 0; r < 2; r++) b[r] = roundTF32(t.right[half + q + r * 4][j]);
			mmaTF32(sum[part], a, b);
		}
	}
}

// productRounded is productFloat32 on the matrix units. Lane 4·g+q of a warp holds,
// of a 16×8 result, rows g and g+8, columns 2q and 2q+1 (PTX ISA, mma.m16n8k8 and
// mma.m16n8k16).
template <class Left, class Right, class Each>
__device__ __forceinline__ void productRounded(Precision precision, TileMemory *memory, int depth, const Left &left, const Right &right, Each each) {
	int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, q = threadIdx.x % 4;
	int row = warp / 2 * 16 + g, col = warp % 2 * 32;
	float sum[4][4] = {};
	overTerms(memory, depth, left, right, [&](const TileMemory &t) { roundedTerms(precision, t, row, col, g, q, sum); });
	UNROLL for (int part = 0; part < 4; part++) {
		UNROLL for (int r = 0; r < 4; r++) each(row + r / 2 * 8, col + part * 8 + 2 * q + r % 2, sum[part][r]);
	}
}

// product is the tile in a precision that is the same for all threads.
template <class Left, class Right, class Each>
__device__ __forceinline__ void product(int precision, TileMemory *memory, int depth, const Left &left, const Right &right, Each each) {
	if (precision == float32) {
		productFloat32(memory, depth, left, right, each);
	} else {
		productRounded((Precision)precision, memory, depth, left, right, each);
	}
}

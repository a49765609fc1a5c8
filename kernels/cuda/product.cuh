// A tile of a matrix product: 64×64 elements by 256 threads, both operands staged
// through shared memory 16 terms at a time. In float32 a thread has 4×4 elements
// and adds their terms in ascending order, in one rounding each. In tf32 and bf16 a
// warp has 16×32 elements on the matrix units: operands are rounded to 11 or 8
// significant bits, sums stay float32.
#pragma once
#include "common.cuh"

enum { tileSize = 64, tileDepth = 16, tileThreads = 256 };

enum Precision { float32, tf32, bf16 };

struct TileMemory {
	float left[tileDepth][tileSize + 4];
	float right[tileDepth][tileSize + 4];
};

// stage fetches the terms from k0 on. left(i, k) and right(k, j), i and j being rows
// and columns of the tile, are called inside and outside of the matrices and must
// give 0 there.
template <class Left, class Right>
__device__ __forceinline__ void stage(TileMemory *t, int k0, Left left, Right right) {
	int thread = threadIdx.x;
	UNROLL for (int load = 0; load < tileSize * tileDepth / tileThreads; load++) {
		int e = load * tileThreads + thread;
		t->left[e % tileDepth][e / tileDepth] = left(e / tileDepth, k0 + e % tileDepth);
		t->right[e / tileSize][e % tileSize] = right(k0 + e / tileSize, e % tileSize);
	}
	__syncthreads();
}

// productFloat32 calls each(i, j, Σ left(i, k)·right(k, j)) for the tile's elements.
template <class Left, class Right, class Each>
__device__ __forceinline__ void productFloat32(TileMemory *t, int depth, Left left, Right right, Each each) {
	int row = threadIdx.x / 16 * 4, col = threadIdx.x % 16 * 4;
	float sum[4][4] = {};
	for (int k0 = 0; k0 < depth; k0 += tileDepth) {
		stage(t, k0, left, right);
		UNROLL for (int k = 0; k < tileDepth; k++) {
			UNROLL for (int i = 0; i < 4; i++) {
				UNROLL for (int j = 0; j < 4; j++) {
					sum[i][j] = fmaf(t->left[k][row + i], t->right[k][col + j], sum[i][j]);
				}
			}
		}
		__syncthreads();
	}
	UNROLL for (int i = 0; i < 4; i++) {
		UNROLL for (int j = 0; j < 4; j++) each(row + i, col + j, sum[i][j]);
	}
}

// roundTF32 rounds to 11 significant bits, ties away from zero.
__device__ __forceinline__ word roundTF32(float v) { return (__float_as_uint(v) + 0x1000u) & 0xFFFFE000u; }

// roundBF16 rounds to 8 significant bits, ties to even, as the lower half of a word.
__device__ __forceinline__ word roundBF16(float v) {
	word bits = __float_as_uint(v);
	if (!(fabsf(v) <= 3.402823466e38f)) return bits >> 16 | (v != v ? 0x40u : 0u);
	return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

// productRounded is productFloat32 on the matrix units. Lane 4·g+q of a warp holds,
// of a 16×8 result, rows g and g+8, columns 2q and 2q+1 (PTX ISA, mma.m16n8k8 and
// mma.m16n8k16).
template <class Left, class Right, class Each>
__device__ __forceinline__ void productRounded(Precision precision, TileMemory *t, int depth, Left left, Right right, Each each) {
	int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, q = threadIdx.x % 4;
	int row = warp / 2 * 16 + g, col = warp % 2 * 32;
	float sum[4][4] = {};
	for (int k0 = 0; k0 < depth; k0 += tileDepth) {
		stage(t, k0, left, right);
		for (int part = 0; part < 4; part++) {
			int j = col + part * 8 + g;
			if (precision == bf16) {
				word a[4], b[2];
				UNROLL for (int r = 0; r < 4; r++) {
					int i = row + r % 2 * 8, k = 2 * q + r / 2 * 8;
					a[r] = roundBF16(t->left[k][i]) | roundBF16(t->left[k + 1][i]) << 16;
				}
				UNROLL for (int r = 0; r < 2; r++) {
					int k = 2 * q + r * 8;
					b[r] = roundBF16(t->right[k][j]) | roundBF16(t->right[k + 1][j]) << 16;
				}
				mmaBF16(sum[part], a, b);
				continue;
			}
			UNROLL for (int half = 0; half < tileDepth; half += 8) {
				word a[4], b[2];
				UNROLL for (int r = 0; r < 4; r++) a[r] = roundTF32(t->left[half + q + r / 2 * 4][row + r % 2 * 8]);
				UNROLL for (int r = 0; r < 2; r++) b[r] = roundTF32(t->right[half + q + r * 4][j]);
				mmaTF32(sum[part], a, b);
			}
		}
		__syncthreads();
	}
	UNROLL for (int part = 0; part < 4; part++) {
		UNROLL for (int r = 0; r < 4; r++) each(row + r / 2 * 8, col + part * 8 + 2 * q + r % 2, sum[part][r]);
	}
}

// product is the tile in a precision that is the same for all threads.
template <class Left, class Right, class Each>
__device__ __forceinline__ void product(int precision, TileMemory *t, int depth, Left left, Right right, Each each) {
	if (precision == float32) {
		productFloat32(t, depth, left, right, each);
	} else {
		productRounded((Precision)precision, t, depth, left, right, each);
	}
}

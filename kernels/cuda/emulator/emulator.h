// The words of CUDA for a C++ compiler, and the engine behind them: what a kernel
// needs in order to run, unchanged, on the processor.
#pragma once
#define EMULATED

#include <cmath>
#include <cstddef>
#include <cstdint>

#define __device__
#define __forceinline__ inline
#define UNROLL

#define KERNEL(name, Args, threads)                                            \
	static void name(const Args &a);                                           \
	static emulator::Kernel name##Kernel(#name, sizeof(Args), threads,         \
		[](const void *p) { name(*static_cast<const Args *>(p)); });           \
	static void name(const Args &a)

#define SHARED(Type, name) Type *name = static_cast<Type *>(emulator::sharedMemory())

#define threadIdx (emulator::thread().index)
#define blockIdx (emulator::thread().block)
#define __syncthreads() emulator::barrier(__FILE__, __LINE__)
#define __shfl_xor_sync(mask, v, lane) emulator::shuffleXor(mask, v, lane, __FILE__, __LINE__)

namespace emulator {

struct Index {
	unsigned x, y, z;
};

// Thread is what the running thread may ask about itself.
struct Thread {
	Index index, block;
};
Thread &thread();

void *sharedMemory();
void barrier(const char *file, int line);
std::uint64_t shuffle(unsigned mask, std::uint64_t bits, int from, const char *file, int line);

template <class T>
T shuffleXor(unsigned mask, T v, int lane, const char *file, int line) {
	static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
	std::uint64_t bits = 0;
	__builtin_memcpy(&bits, &v, sizeof(T));
	bits = shuffle(mask, bits, int(thread().index.x % 32) ^ lane, file, line);
	__builtin_memcpy(&v, &bits, sizeof(T));
	return v;
}

// Kernel registers a kernel under its name when the program starts.
struct Kernel {
	const char *name;
	std::size_t argsSize;
	int threads; // the most that a block may have
	void (*run)(const void *args);
	Kernel *next;
	Kernel(const char *name, std::size_t argsSize, int threads, void (*run)(const void *));
};

} // namespace emulator

inline int atomicMin(int *p, int v) {
	int old = *p;
	if (v < old) *p = v;
	return old;
}
inline int min(int a, int b) { return a < b ? a : b; }
// A volatile product is rounded before it is added to anything.
inline float __fmul_rn(float a, float b) {
	volatile float product = a * b;
	return product;
}
inline float sinpif(float x) { return float(std::sin(x * 3.14159265358979323846)); }
inline float cospif(float x) { return float(std::cos(x * 3.14159265358979323846)); }

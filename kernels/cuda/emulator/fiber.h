// A fiber is a stack and the registers that a call keeps. On x86-64 a switch saves
// those alone, in a few nanoseconds; elsewhere it goes through ucontext, whose
// switch costs a system call.
#pragma once
#include <cstddef>
#include <cstdint>

#ifdef __x86_64__

struct FiberContext {
	void *stack;
};

// switchFiber saves the running fiber in from and goes on with to.
extern "C" void emulatorSwitch(void **from, void *to);

asm(R"(
.text
.type emulatorSwitch, @function
emulatorSwitch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
.size emulatorSwitch, .-emulatorSwitch
)");

inline void switchFiber(FiberContext *from, FiberContext *to) { emulatorSwitch(&from->stack, to->stack); }

// startFiber makes a fiber that calls begin, which never returns, when it is first
// switched to.
inline void startFiber(FiberContext *f, char *stack, std::size_t bytes, void (*begin)()) {
	// As a call would leave it: the return address 8 bytes below a multiple of 16.
	auto top = reinterpret_cast<void **>((reinterpret_cast<std::uintptr_t>(stack) + bytes) & ~std::uintptr_t(15));
	*--top = nullptr; // where begin would return to
	*--top = reinterpret_cast<void *>(begin);
	for (int saved = 0; saved < 6; saved++) *--top = nullptr;
	f->stack = top;
}

#else

#include <ucontext.h>

struct FiberContext {
	ucontext_t context;
};

inline void switchFiber(FiberContext *from, FiberContext *to) { swapcontext(&from->context, &to->context); }

inline void startFiber(FiberContext *f, char *stack, std::size_t bytes, void (*begin)()) {
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = stack;
	f->context.uc_stack.ss_size = bytes;
	f->context.uc_link = nullptr;
	makecontext(&f->context, begin, 0);
}

#endif

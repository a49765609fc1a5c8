/* A caller as gorgonia.org/cu is one, and the driver's function that it must reach. */
#include <cuda.h>
#include <stddef.h>

static CUcontext made = (CUcontext)42;

#undef cuCtxCreate_v2
CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device) {
	*context = made;
	return flags == 4 && device == 1 ? 0 : 1;
}

int main(void) {
	CUcontext context = NULL;
	CUresult result = cuCtxCreate(&context, 4, 1);
	return result || context != made;
}

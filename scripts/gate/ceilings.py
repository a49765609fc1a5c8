"""What this GPU does at most, for the floors under a step: bytes a second of a copy
within device memory, read and written, and float32 operations a second of a large
matrix product without tensor cores. The best of several, by the device's clock.
"""
import torch

assert torch.cuda.is_available(), 'needs an NVIDIA GPU'
torch.backends.cuda.matmul.allow_tf32 = False


def seconds(f, times=10):
    for _ in range(3):
        f()
    best = float('inf')
    for _ in range(times):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        end.record()
        end.synchronize()
        best = min(best, start.elapsed_time(end) / 1e3)
    return best


a = torch.randn(2**28, device='cuda')  # 1 GiB, far more than the caches hold
b = torch.empty_like(a)
print(f'copy: {2 * a.nbytes / seconds(lambda: b.copy_(a)):.4g} bytes/s', flush=True)
del a, b
n = 8192
a, b = torch.randn(n, n, device='cuda'), torch.randn(n, n, device='cuda')
print(f'product: {2 * n**3 / seconds(lambda: a @ b):.4g} flop/s', flush=True)

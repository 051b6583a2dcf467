// Half a map's size and back, linearly; see minstyle/engine/kernels/halving.py.
#include "hardware.cuh"

// out (ceil(H / 2), ceil(W / 2), C): along each axis near and far times the two entries that one covers, and their
// neighbours. A thread has one entry of it.
extern "C" __global__ void shrink(const float* v, float* out, int height, int width, int channels, float near, float far) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x, across = (width + 1) / 2;
    const int c = i % channels, column = i / channels % across, row = i / channels / across;
    if (row >= (height + 1) / 2) return;
    const float weights[4] = {far, near, near, far};
    float sum = 0;
#pragma unroll
    for (int a = 0; a < 4; a++) {
        const int y = 2 * row - 1 + a;
        if (y < 0 || y >= height) continue;
        float along = 0;
#pragma unroll
        for (int b = 0; b < 4; b++) {
            const int x = 2 * column - 1 + b;
            if (x >= 0 && x < width) along += weights[b] * v[((long long)y * width + x) * channels + c];
        }
        sum += weights[a] * along;
    }
    out[i] = sum;
}

// The adjoint of shrink, times factor, is added to `into` (H, W, C). A thread has one entry of it.
extern "C" __global__ void enlarge(const float* coarse, float* into, int height, int width, int channels, float near, float far,
                                   float factor) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    const int c = (int)(i % channels), column = (int)(i / channels % width), across = (width + 1) / 2, down = (height + 1) / 2;
    const int row = (int)(i / channels / width);
    if (row >= height) return;
    float sum = 0;
#pragma unroll
    for (int a = 0; a < 2; a++) {
        const int y = row / 2 + (a ? (row & 1 ? 1 : -1) : 0);
        if (y < 0 || y >= down) continue;
        float along = 0;
#pragma unroll
        for (int b = 0; b < 2; b++) {
            const int x = column / 2 + (b ? (column & 1 ? 1 : -1) : 0);
            if (x >= 0 && x < across) along += (b ? far : near) * coarse[((long long)y * across + x) * channels + c];
        }
        sum += (a ? far : near) * along;
    }
    into[i] += factor * sum;
}

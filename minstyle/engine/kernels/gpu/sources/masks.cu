// The adjoints of ReLU and of max pooling: what a convolution's adjoint reads, from the gradient to the map after them.
//
// The bits of a ReLU lie as convolve's threads have them: a word of 16 a pixel, group of 64 channels and quarter q, whose
// bits 2 j and 2 j + 1 are channels 8 j + 2 q and 8 j + 2 q + 1 of the group.
#include "hardware.cuh"

// What they give is rounded to TF32, or is bfloat16, which has the range that gradients need, in `narrow`.
enum Factors { AS_IT_IS, OF_TF32, OF_BFLOAT };

struct Target {
    float* out;
    unsigned short* narrow;
    int factors;
};

__device__ inline void store2(const Target& t, long long at, float a, float b) {
    if (t.factors == OF_BFLOAT) *(uint32*)(t.narrow + at) = pair(to_bfloat(a), to_bfloat(b));
    else if (t.factors == OF_TF32) *(float2*)(t.out + at) = make_float2(to_tf32(a), to_tf32(b));
    else *(float2*)(t.out + at) = make_float2(a, b);
}

extern "C" __global__ void mask_by_bits(const float* g, const unsigned short* mask, float* out, unsigned short* narrow,
                                        long long words, int channels, int factors) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= words) return;
    const int groups = (channels + 63) / 64, n0 = (int)(i / 4 % groups) * 64 + 2 * (int)(i & 3);
    const long long at = i / 4 / groups * channels;
    const unsigned bits = mask[i];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const int n = n0 + 8 * j;
        if (n >= channels) break;
        const float2 v = *(const float2*)(g + at + n);
        store2({out, narrow, factors}, at + n, bits >> (2 * j) & 1 ? v.x : 0.0f, bits >> (2 * j + 1) & 1 ? v.y : 0.0f);
    }
}

// Where y, if it is given, is above zero.
extern "C" __global__ void mask_by_map(const float* g, const float* y, float* out, unsigned short* narrow, long long fours,
                                       int factors) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= fours) return;
    const float4 v = ((const float4*)g)[i], m = y ? ((const float4*)y)[i] : make_float4(1, 1, 1, 1);
    store2({out, narrow, factors}, 4 * i, m.x > 0 ? v.x : 0.0f, m.y > 0 ? v.y : 0.0f);
    store2({out, narrow, factors}, 4 * i + 2, m.z > 0 ? v.z : 0.0f, m.w > 0 ? v.w : 0.0f);
}

// A thread has four channels of a window; the windows of an odd last row or column, which pooling left out, get zeros.
extern "C" __global__ void unpool(const float* g, const unsigned char* index, float* out, unsigned short* narrow, int height,
                                  int width, int channels, int factors) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    const int fours = channels / 4, across = (width + 1) / 2;
    const int c = (int)(i % fours) * 4, column = (int)(i / fours % across);
    const long long row = i / fours / across;
    if (row >= (height + 1) / 2) return;
    float4 v = make_float4(0, 0, 0, 0);
    int k[4] = {4, 4, 4, 4};
    if (row < height / 2 && column < width / 2) {
        const long long at = (row * (width / 2) + column) * channels + c;
        v = *(const float4*)(g + at);
        for (int e = 0; e < 4; e++) k[e] = index[at + e];
    }
#pragma unroll
    for (int corner = 0; corner < 4; corner++) {
        const long long y = 2 * row + corner / 2, x = 2 * column + corner % 2;
        if (y < height && x < width) {
            const long long at = (y * width + x) * channels + c;
            store2({out, narrow, factors}, at, k[0] == corner ? v.x : 0.0f, k[1] == corner ? v.y : 0.0f);
            store2({out, narrow, factors}, at + 2, k[2] == corner ? v.z : 0.0f, k[3] == corner ? v.w : 0.0f);
        }
    }
}

// A map as convolutions read it in half precision.
extern "C" __global__ void to_half_map(const float* x, unsigned short* half, long long fours) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= fours) return;
    const float4 v = ((const float4*)x)[i];
    uint2 out;
    out.x = pair(half_of(v.x), half_of(v.y));
    out.y = pair(half_of(v.z), half_of(v.w));
    ((uint2*)half)[i] = out;
}

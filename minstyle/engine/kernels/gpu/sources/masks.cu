// The adjoints of ReLU and of max pooling: what a convolution's adjoint reads, from the gradient to the map after them.
//
// The bits of a ReLU lie as convolve's threads have them: a word of 16 a pixel, group of 64 channels and quarter q, whose
// bits 2 j and 2 j + 1 are channels 8 j + 2 q and 8 j + 2 q + 1 of the group.
#include "hardware.cuh"

extern "C" __global__ void mask_by_bits(const float* g, const unsigned short* mask, float* out, long long words, int channels,
                                        int round) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= words) return;
    const int groups = (channels + 63) / 64, n0 = (int)(i / 4 % groups) * 64 + 2 * (int)(i & 3);
    const long long at = i / 4 / groups * channels;
    const unsigned bits = mask[i];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const int n = n0 + 8 * j;
        if (n >= channels) break;
        float2 v = *(const float2*)(g + at + n);
        v.x = bits >> (2 * j) & 1 ? (round ? to_tf32(v.x) : v.x) : 0.0f;
        v.y = bits >> (2 * j + 1) & 1 ? (round ? to_tf32(v.y) : v.y) : 0.0f;
        *(float2*)(out + at + n) = v;
    }
}

__device__ inline float masked(float g, float y, int round) { return y > 0 ? (round ? to_tf32(g) : g) : 0.0f; }

extern "C" __global__ void mask_by_map(const float* g, const float* y, float* out, long long fours, int round) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= fours) return;
    float4 v = ((const float4*)g)[i];
    const float4 m = ((const float4*)y)[i];
    v.x = masked(v.x, m.x, round); v.y = masked(v.y, m.y, round);
    v.z = masked(v.z, m.z, round); v.w = masked(v.w, m.w, round);
    ((float4*)out)[i] = v;
}

// A thread has four channels of a window; the windows of an odd last row or column, which pooling left out, get zeros.
extern "C" __global__ void unpool(const float* g, const unsigned char* index, float* out, int height, int width, int channels,
                                  int round) {
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
        if (round) v = make_float4(to_tf32(v.x), to_tf32(v.y), to_tf32(v.z), to_tf32(v.w));
    }
#pragma unroll
    for (int corner = 0; corner < 4; corner++) {
        const long long y = 2 * row + corner / 2, x = 2 * column + corner % 2;
        if (y < height && x < width)
            *(float4*)(out + (y * width + x) * channels + c) =
                make_float4(k[0] == corner ? v.x : 0.0f, k[1] == corner ? v.y : 0.0f, k[2] == corner ? v.z : 0.0f,
                            k[3] == corner ? v.w : 0.0f);
    }
}

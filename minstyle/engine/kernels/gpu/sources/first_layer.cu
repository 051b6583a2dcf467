// The layer that reads a picture: convolution 3x3 from 3 channels to many, with bias and ReLU, and its adjoint. Neither
// has enough products for the matrix units; both are bound by the map of many channels.
#include "hardware.cuh"

#define TAPS 27  // 3 x 3 pixels of 3 channels

// x (in_height, in_width, 3), kernel (27, channels), y (height, width, channels); output (i, j) reads x from
// (i + origin, j + origin) on. A thread has SPAN pixels of a row and, of 64 channels, those of one word of the mask (see
// masks.cu): each weight that it reads serves all its pixels.
#define SPAN 4

extern "C" __global__ void few_to_many(const float* x, const float* kernel, const float* bias, float* y,
                                       unsigned short* half, unsigned short* mask, int in_height, int in_width, int height, int width,
                                       int channels, int origin, int relu, int round) {
    float* const k = (float*)shared;  // (27, 64)
    const int n0 = blockIdx.y * 64, q = threadIdx.x & 3, groups = (channels + 63) / 64;
    for (int i = threadIdx.x; i < TAPS * 64; i += blockDim.x)
        k[i] = n0 + i % 64 < channels ? kernel[i / 64 * channels + n0 + i % 64] : 0.0f;
    __syncthreads();
    const int spans = (width + SPAN - 1) / SPAN, i = (blockIdx.x * blockDim.x + threadIdx.x) / 4;
    const int row = i / spans, column = i % spans * SPAN;
    if (row >= height) return;
    float2 acc[SPAN][8];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const int n = n0 + 8 * j + 2 * q;
        const float2 b = bias && n < channels ? *(const float2*)(bias + n) : make_float2(0, 0);
#pragma unroll
        for (int p = 0; p < SPAN; p++) acc[p][j] = b;
    }
    for (int d = 0; d < 3; d++) {
        const int r = row + d + origin;
        if (r < 0 || r >= in_height) continue;
        float v[(SPAN + 2) * 3];
#pragma unroll
        for (int e = 0; e < (SPAN + 2) * 3; e++) {
            const int c = column + origin + e / 3;
            v[e] = c >= 0 && c < in_width ? x[((long long)r * in_width + c) * 3 + e % 3] : 0.0f;
        }
#pragma unroll
        for (int e = 0; e < 9; e++) {
            const float* const of_tap = k + (d * 9 + e) * 64 + 2 * q;
#pragma unroll
            for (int j = 0; j < 8; j++) {
                const float2 w = *(const float2*)(of_tap + 8 * j);
#pragma unroll
                for (int p = 0; p < SPAN; p++) {
                    acc[p][j].x += v[e + 3 * p] * w.x;
                    acc[p][j].y += v[e + 3 * p] * w.y;
                }
            }
        }
    }
#pragma unroll
    for (int p = 0; p < SPAN; p++) {
        if (column + p >= width) break;
        const long long pixel = (long long)row * width + column + p;
        unsigned bits = 0;
#pragma unroll
        for (int j = 0; j < 8; j++) {
            const int n = n0 + 8 * j + 2 * q;
            if (n >= channels) break;
            float2 v = acc[p][j];
            if (relu) v = make_float2(v.x < 0 ? 0.0f : v.x, v.y < 0 ? 0.0f : v.y);  // NaN stays NaN
            if (round == TF32) v = make_float2(to_tf32(v.x), to_tf32(v.y));
            bits |= (unsigned)((v.x > 0) | (v.y > 0) << 1) << (2 * j);
            if (round == HALF) *(uint32*)(half + pixel * channels + n) = pair(half_of(v.x), half_of(v.y));
            else *(float2*)(y + pixel * channels + n) = v;
        }
        if (mask) mask[(pixel * groups + blockIdx.y) * 4 + q] = (unsigned short)bits;
    }
}

#define TILE_ROWS 16
#define TILE_COLUMNS 32
#define AT_ONCE 16                          // channels
#define PITCH (TILE_COLUMNS + 4)            // from row to row of a channel in shared memory
#define PLANE ((TILE_ROWS + 2) * PITCH + 4)  // from channel to channel

// g (height, width, channels), where `mask` is given only where it has a bit; dx (in_height, in_width, 3).
// A thread has SPAN pixels of a row of dx; the block's pixels of g with their frame pass through shared memory, some
// channels at a time, each as a plane.
extern "C" __global__ void many_to_few(const float* g, const float* kernel, const unsigned short* mask, float* dx, int height,
                                       int width, int in_height, int in_width, int channels, int origin, int add) {
    float4* const k = (float4*)shared;              // (AT_ONCE, 9), three values each
    float* const tile = (float*)(k + AT_ONCE * 9);  // (AT_ONCE, PLANE)
    const int top = blockIdx.y * TILE_ROWS, left = blockIdx.x * TILE_COLUMNS, groups = (channels + 63) / 64;
    const int y = threadIdx.x / (TILE_COLUMNS / SPAN), x = threadIdx.x % (TILE_COLUMNS / SPAN) * SPAN;
    float sum[SPAN][3] = {};
    for (int c0 = 0; c0 < channels; c0 += AT_ONCE) {
        __syncthreads();
        for (int i = threadIdx.x; i < AT_ONCE * 9; i += blockDim.x) {
            const int c = c0 + i / 9, tap = i % 9;
            const float* const from = kernel + tap * 3 * (long long)channels + c;
            k[i] = c < channels ? make_float4(from[0], from[channels], from[2 * channels], 0) : make_float4(0, 0, 0, 0);
        }
#pragma unroll 4
        for (int i = threadIdx.x; i < (TILE_ROWS + 2) * (TILE_COLUMNS + 2) * AT_ONCE / 2; i += blockDim.x) {
            const int pair = i % (AT_ONCE / 2), p = i / (AT_ONCE / 2), c = c0 + 2 * pair, down = p / (TILE_COLUMNS + 2), along = p % (TILE_COLUMNS + 2);
            const int r = top + down - 2 - origin, s = left + along - 2 - origin;
            float2 v = make_float2(0, 0);
            if (r >= 0 && r < height && s >= 0 && s < width && c < channels) {
                const long long pixel = (long long)r * width + s;
                v = *(const float2*)(g + pixel * channels + c);
                if (mask) {
                    const unsigned bits = mask[(pixel * groups + (c >> 6)) * 4 + (pair & 3)] >> (2 * ((c & 63) >> 3));
                    v = make_float2(bits & 1 ? v.x : 0.0f, bits & 2 ? v.y : 0.0f);
                }
            }
            float* const to = tile + 2 * pair * PLANE + down * PITCH + along;
            to[0] = v.x;
            to[PLANE] = v.y;
        }
        __syncthreads();
#pragma unroll 2
        for (int c = 0; c < AT_ONCE; c++)
#pragma unroll
            for (int d = 0; d < 3; d++) {  // dx (i, j) takes g (i - d - origin, j - e - origin)
                const float* const from = tile + c * PLANE + (y + 2 - d) * PITCH + x;
                const float4 a = *(const float4*)from;
                const float2 b = *(const float2*)(from + 4);
                const float v[SPAN + 2] = {a.x, a.y, a.z, a.w, b.x, b.y};
#pragma unroll
                for (int e = 0; e < 3; e++) {
                    const float4 w = k[c * 9 + d * 3 + e];
#pragma unroll
                    for (int p = 0; p < SPAN; p++) {
                        sum[p][0] += v[p + 2 - e] * w.x;
                        sum[p][1] += v[p + 2 - e] * w.y;
                        sum[p][2] += v[p + 2 - e] * w.z;
                    }
                }
            }
    }
    if (top + y >= in_height) return;
#pragma unroll
    for (int p = 0; p < SPAN; p++) {
        if (left + x + p >= in_width) break;
        float* const to = dx + ((long long)(top + y) * in_width + left + x + p) * 3;
        for (int e = 0; e < 3; e++) to[e] = add ? to[e] + sum[p][e] : sum[p][e];
    }
}

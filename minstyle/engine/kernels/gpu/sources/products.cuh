// The product of two tiles in shared memory, three ways with one layout of the result.
//
// a: 64 rows that a warpgroup (128 threads) multiplies: pixels of a patch, 8 rows of 8, `pitch` rows of memory from one
// to the next; b: N rows, one a channel of the result. Each row of memory holds 128 bytes along the inner axis, CHANNELS
// values, in eight pieces of 16 bytes; piece i of row r lies at place i ^ (r & 7), so that neither matrix units nor
// plain reads meet the same bank twice. Both begin at multiples of 1024 bytes; `first` is the first row of a.
//
// Warp w of the group has rows 2w and 2w + 1 of the patch, its lane l the pixel l / 4 of both and of each 8 channels the
// pair 2 (l % 4). acc[4 j], acc[4 j + 1]: that pair of channels 8 j at the upper pixel; acc[4 j + 2], [4 j + 3]: at the
// lower one. PRODUCT: 0 in float32 on any card, 1 in TF32 by mma (cards of 2020 and later), 2 by wgmma (Hopper). NARROW:
// factors of 16 bits in place of float32, 1 in half precision, 2 in bfloat16; the bytes lie and are multiplied alike.
#pragma once
#include "hardware.cuh"

#ifndef NARROW
#define NARROW 0
#endif
#if NARROW
#define Factor unsigned short
#else
#define Factor float
#endif

#define ROW 128                            // bytes of a row in shared memory
#define CHANNELS (ROW / (int)sizeof(Factor))  // values of the inner axis that a tile has
#define PER_PIECE (16 / (int)sizeof(Factor))

// A kernel's entry as a factor.
__device__ inline Factor factor_of(float v, int round) {
#if NARROW == 1
    return to_half(v * HALF_UNIT);
#elif NARROW == 2
    return to_bfloat(v);
#else
    return round ? to_tf32(v) : v;
#endif
}

__device__ inline const char* piece(const char* tile, int row, int i) { return tile + row * ROW + ((i ^ (row & 7)) << 4); }

#if PRODUCT == 0 && NARROW  // on a processor only

template <int N> __device__ inline void multiply(float* acc, const char* a, int first, int pitch, const char* b) {
    const int warp = (threadIdx.x >> 5) & 3, lane = threadIdx.x & 31;
    const int upper = first + 2 * warp * pitch + (lane >> 2);
    for (int i = 0; i < ROW / 16; i++)
        for (int e = 0; e < PER_PIECE; e++) {
            const auto at = [&](const char* tile, int row) { return wide<NARROW>(((const Factor*)piece(tile, row, i))[e]); };
            const float u = at(a, upper), l = at(a, upper + pitch);
            for (int j = 0; j < N / 4; j++) {
                const float v = at(b, 8 * (j >> 1) + 2 * (lane & 3) + (j & 1));
                acc[4 * (j >> 1) + (j & 1)] += u * v;
                acc[4 * (j >> 1) + 2 + (j & 1)] += l * v;
            }
        }
}

#elif PRODUCT == 0

template <int N> __device__ inline void multiply(float* acc, const char* a, int first, int pitch, const char* b) {
    const int warp = (threadIdx.x >> 5) & 3, lane = threadIdx.x & 31;
    const int upper = first + 2 * warp * pitch + (lane >> 2);
#pragma unroll 1
    for (int i = 0; i < ROW / 16; i++) {
        const float4 u = *(const float4*)piece(a, upper, i), l = *(const float4*)piece(a, upper + pitch, i);
#pragma unroll
        for (int j = 0; j < N / 8; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                const float4 v = *(const float4*)piece(b, 8 * j + 2 * (lane & 3) + e, i);
                acc[4 * j + e] += u.x * v.x + u.y * v.y + u.z * v.z + u.w * v.w;
                acc[4 * j + 2 + e] += l.x * v.x + l.y * v.y + l.z * v.z + l.w * v.w;
            }
    }
}

#elif PRODUCT == 1

template <int N> __device__ inline void multiply(float* acc, const char* a, int first, int pitch, const char* b) {
    const int warp = (threadIdx.x >> 5) & 3, lane = threadIdx.x & 31, at = (lane & 3) * 4;
    const int upper = first + 2 * warp * pitch + (lane >> 2);
#pragma unroll
    for (int k = 0; k < ROW / 32; k++) {
        uint32 u[4];
        u[0] = *(const uint32*)(piece(a, upper, 2 * k) + at);
        u[1] = *(const uint32*)(piece(a, upper + pitch, 2 * k) + at);
        u[2] = *(const uint32*)(piece(a, upper, 2 * k + 1) + at);
        u[3] = *(const uint32*)(piece(a, upper + pitch, 2 * k + 1) + at);
#pragma unroll
        for (int j = 0; j < N / 8; j++) {
            const int row = 8 * j + (lane >> 2);
            uint32 v[2] = {*(const uint32*)(piece(b, row, 2 * k) + at), *(const uint32*)(piece(b, row, 2 * k + 1) + at)};
#if NARROW == 1
            mma_half(acc + 4 * j, u, v);
#elif NARROW == 2
            mma_bfloat(acc + 4 * j, u, v);
#else
            mma(acc + 4 * j, u, v);
#endif
        }
    }
}

#else

#if NARROW == 1
#define KIND "k16.f32.f16.f16"
#define FLAGS "1, 1, 0, 0"  // nothing is negated or transposed
#elif NARROW == 2
#define KIND "k16.f32.bf16.bf16"
#define FLAGS "1, 1, 0, 0"
#else
#define KIND "k8.f32.tf32.tf32"
#define FLAGS "1, 1"
#endif

__device__ inline void wgmma64(float* d, uint64 a, uint64 b) {
    asm volatile("{.reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n64" KIND " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, p, " FLAGS ";}"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]) : "l"(a), "l"(b));
}
__device__ inline void wgmma128(float* d, uint64 a, uint64 b) {
    asm volatile("{.reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n128" KIND " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, p, " FLAGS ";}"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63]) : "l"(a), "l"(b));
}

// Where a matrix lies in shared memory, in units of 16 bytes: its start, and from one group of 8 rows to the next; the
// highest bits name the arrangement above (swizzled in 128 bytes).
__device__ inline uint64 descriptor(const char* start, int between_groups) {
    const uint64 address = (shared_address(start) & 0x3ffff) >> 4;
    return address | (1ull << 16) | ((uint64)(between_groups >> 4) << 32) | (1ull << 62);
}

__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
template <int N> __device__ inline void multiply(float* acc, const char* a, int first, int pitch, const char* b) {
    const uint64 da = descriptor(a + first * ROW, pitch * ROW), db = descriptor(b, 8 * ROW);
#pragma unroll
    for (int k = 0; k < ROW / 32; k++) {
        if constexpr (N == 64) wgmma64(acc, da + 2 * k, db + 2 * k);
        else wgmma128(acc, da + 2 * k, db + 2 * k);
    }
}
__device__ inline void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// The units go on by themselves: the results are there after this.
template <int COUNT> __device__ inline void finish(float* acc) {
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
    for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(acc[i]) :: "memory");
}
__device__ inline void all_but_the_last() { asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory"); }
// What copies have written, the matrix units see after this and a barrier.
__device__ inline void show_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#endif

#if PRODUCT < 2
__device__ inline void begin_products() {}
__device__ inline void end_products() {}
template <int COUNT> __device__ inline void finish(float* acc) {}
__device__ inline void all_but_the_last() {}
__device__ inline void show_copies() {}
#endif

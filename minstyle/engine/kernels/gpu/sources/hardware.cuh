// What a kernel asks of the machine: asynchronous copies, matrix units, exchange within a warp. tests/support/
// cuda_on_cpu.h has the same functions in plain C++, with which the kernels run on a processor.
#pragma once

#ifdef __CUDACC__

typedef unsigned int uint32;
typedef unsigned long long uint64;

extern __shared__ __align__(1024) char shared[];  // of each kernel: so many bytes as it is started with

__device__ inline uint32 shared_address(const void* p) { return (uint32)__cvta_generic_to_shared(p); }

#if __CUDA_ARCH__ >= 800

// 16 bytes from global to shared memory; zeros where there is no source.
__device__ inline void copy_async(void* to, const void* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0) : "memory");
}
__device__ inline void end_of_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most N of the latest groups of copies are under way.
template <int N> __device__ inline void wait_for_groups() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

// Nearest number that TF32 (10 bits of mantissa) has, ties away from zero.
__device__ inline float to_tf32(float x) {
    uint32 bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

// d (16, 8) += a (16, 8) b (8, 8) in TF32, rows of a and columns of b along the inner axis.
__device__ inline void mma(float* d, const uint32* a, const uint32* b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Nearest number in half precision, infinite from 65520 on; in bfloat16, which has the exponents of float32.
__device__ inline unsigned short to_half(float x) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
__device__ inline unsigned short to_bfloat(float x) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}

// d (16, 8) += a (16, 16) b (16, 8), in half precision or bfloat16: two factors a register.
__device__ inline void mma_half(float* d, const uint32* a, const uint32* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_bfloat(float* d, const uint32* a, const uint32* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else  // cards of before 2020 have neither

__device__ inline void copy_async(void* to, const void* from, bool there) {
    *(uint4*)to = there ? *(const uint4*)from : make_uint4(0, 0, 0, 0);
}
__device__ inline void end_of_group() {}
template <int N> __device__ inline void wait_for_groups() {}
__device__ inline float to_tf32(float x) { return x; }
__device__ inline unsigned short to_half(float) { return 0; }  // not asked for there
__device__ inline unsigned short to_bfloat(float) { return 0; }

#endif

#if __CUDA_ARCH__ >= 900

// A barrier in shared memory that counts arrivals and bytes; its phase ends when both are complete.
__device__ inline void init_barrier(uint64* barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(shared_address(barrier)), "r"(arrivals) : "memory");
}
// To be followed by __syncthreads: then all threads, and the copies, know the new barriers.
__device__ inline void show_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ inline void arrive(uint64* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(shared_address(barrier)) : "memory");
}
// Waits for the end of the phase of this parity.
__device__ inline void wait_for(uint64* barrier, int parity) {
    asm volatile("{.reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1; @!done bra again;}"
                 :: "r"(shared_address(barrier)), "r"(parity) : "memory");
}
// Arrives, and has the barrier wait for so many bytes of copies too.
__device__ inline void arrive_and_expect(uint64* barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(shared_address(barrier)), "r"(bytes) : "memory");
}

// A run of bytes, of one thread; they count at the barrier.
__device__ inline void copy_run(void* to, const void* from, int bytes, uint64* barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
                 :: "r"(shared_address(to)), "l"(from), "r"(bytes), "r"(shared_address(barrier)) : "memory");
}

#endif

// The first `count` threads of the block meet, a multiple of 32.
template <int COUNT> __device__ inline void meet() { asm volatile("bar.sync 1, %0;" :: "n"(COUNT) : "memory"); }

__device__ inline float from_lane_xor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

#endif

// How results are stored: as they are, rounded to TF32, or as a map in half precision, which only convolutions read:
// divided by HALF_UNIT, as which kernels are multiplied. VGG's activations reach 2e4, half precision ends at 6.5e4.
enum Rounding { PLAIN, TF32, HALF };
#define HALF_UNIT 16.0f
__device__ inline unsigned short half_of(float x) { return to_half(x * (1 / HALF_UNIT)); }
__device__ inline uint32 pair(unsigned short low, unsigned short high) { return low | (uint32)high << 16; }

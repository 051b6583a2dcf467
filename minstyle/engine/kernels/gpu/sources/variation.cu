// Total variation of an image (H, W, C) and its gradient in one pass: each thread has some entries, and gathers for each
// what the differences with its neighbours give, which it computes as they do. parts (gridDim.x): each block's part of the sum.
#include "sums.cuh"

struct Image {
    const float* x;
    int height, width, channels;
    // The entry `down` rows below and `along` columns right of i, at row and column; i itself where there is none.
    __device__ long long at(long long i, int row, int column, int down, int along) const {
        const bool there = row + down >= 0 && row + down < height && column + along >= 0 && column + along < width;
        return there ? i + ((long long)down * width + along) * channels : i;
    }
};

// x to the exponent - 1, as kernels/variation.py has it: 1 where the image is flat and that would be infinite.
__device__ inline float power(float s, float exponent) { return s > 0 || exponent >= 1 ? powf(s, exponent - 1) : 1.0f; }

// The sum of s^exponent, s = d_along^2 + d_down^2, over all pixels but the last row and column.
extern "C" __global__ void coupled(const float* x, float* gradient, double* parts, int height, int width, int channels, float exponent) {
    const Image image = {x, height, width, channels};
    const long long n = (long long)height * width * channels;
    double sum = 0;
    for (long long i = blockIdx.x * (long long)THREADS + threadIdx.x; i < n; i += (long long)gridDim.x * THREADS) {
        const int column = (int)(i / channels % width), row = (int)(i / channels / width);
        float g = 0;
        for (int k = 0; k < 3; k++) {  // the pixel itself, the one to the left, the one above
            const int r = row - (k == 2), c = column - (k == 1);
            if (r < 0 || c < 0 || r >= height - 1 || c >= width - 1) continue;
            const long long here = image.at(i, row, column, r - row, c - column);
            const float along = x[here + channels] - x[here], down = x[here + (long long)width * channels] - x[here];
            const float s = along * along + down * down, p = power(s, exponent);
            if (k == 0) sum += (double)(s * p);
            g += p * (k == 0 ? -(along + down) : k == 1 ? along : down);
        }
        gradient[i] = 2 * exponent * g;
    }
    sum = block_sum(sum, (double*)shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// The sum of factor d^2, or factor |d|, of two differences d, each to the pixel some rows below and columns right.
extern "C" __global__ void apart(const float* x, float* gradient, double* parts, int height, int width, int channels, int down0,
                                 int along0, double factor0, int down1, int along1, double factor1, int squared) {
    const Image image = {x, height, width, channels};
    const int downs[2] = {down0, down1}, alongs[2] = {along0, along1};
    const double factors[2] = {factor0, factor1};
    const long long n = (long long)height * width * channels;
    double sum = 0;
    for (long long i = blockIdx.x * (long long)THREADS + threadIdx.x; i < n; i += (long long)gridDim.x * THREADS) {
        const int column = (int)(i / channels % width), row = (int)(i / channels / width);
        float g = 0;
        for (int k = 0; k < 2; k++)
            for (int sign = 1; sign >= -1; sign -= 2) {  // the pixel that this one is compared with, and that which is with it
                const long long other = image.at(i, row, column, sign * downs[k], sign * alongs[k]);
                if (other == i) continue;
                const float d = x[other] - x[i];
                if (sign > 0) sum += factors[k] * (squared ? d * d : fabsf(d));
                g -= (float)factors[k] * (squared ? 2 * d : d > 0 ? 1.0f : d < 0 ? -1.0f : d);
            }
        gradient[i] = g;
    }
    sum = block_sum(sum, (double*)shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

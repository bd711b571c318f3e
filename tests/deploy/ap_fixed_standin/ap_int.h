// As much of Xilinx's ap_int.h as headers of networks need, and hls_check.cpp.
#pragma once
#include <cstdint>

template <int W>
class ap_uint {
    static_assert(W > 0 && W < 64, "numbers of 1 to 63 bits");
    std::uint64_t bits;

public:
    ap_uint(std::uint64_t number = 0) : bits(number & ((std::uint64_t(1) << W) - 1)) {}
    unsigned to_uint() const { return unsigned(bits); }
};

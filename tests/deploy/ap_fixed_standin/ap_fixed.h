// As much of Xilinx's ap_fixed.h as headers of networks need, and hls_check.cpp: numbers are made of bits, and so
// never rounded.
#pragma once
#include <cmath>
#include <cstdint>

#include "ap_int.h"

enum ap_q_mode { AP_RND_ZERO };
enum ap_o_mode { AP_WRAP };

template <int W, int I, ap_q_mode, ap_o_mode>
class ap_fixed {
    std::int64_t number;

public:
    class whole_range {
        std::int64_t &number;

    public:
        explicit whole_range(std::int64_t &target) : number(target) {}
        void operator=(ap_uint<W> bits) {
            number = bits.to_uint();
            if (number >> (W - 1)) number -= std::int64_t(1) << W;
        }
    };

    ap_fixed() : number(0) {}
    whole_range range(int, int) { return whole_range(number); }
    double to_double() const { return std::ldexp(double(number), I - W); }
};

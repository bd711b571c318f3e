// Prints what a network's header holds, and the logits of an image that is computed from that in whole numbers.
//
// Reads whole numbers from the standard input: K, the exponent of what goes into the tables and of what they hold, K
// numbers of sigmoid and K of tanh; the lowest and the highest cell state, and its exponent in either direction; then T
// and T columns of pixels. Prints lines of a name and whole numbers: every macro; every array, as pairs of an element's
// bits and of the number that its fixed-point type makes of them, in units of its step; and the logits.
#include "r_model_fw_bw.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <vector>

typedef long long Whole;
typedef std::vector<Whole> Vector;
typedef std::vector<Vector> Matrix;

enum { N = NUMBER_OF_NEURONS, C = NUMBER_OF_CLASSES, H = HEIGHT_IN_PIX };

template <typename Fixed, int W>
Whole whole(const ap_uint<W> &bits) {
    Fixed number;
    number.range(W - 1, 0) = bits;
    return Whole(std::ldexp(number.to_double(), W - 1));
}

template <typename Fixed, int W>
void show(const ap_uint<W> &bits) {
    std::cout << ' ' << bits.to_uint() << ' ' << whole<Fixed>(bits);
}

template <typename Fixed, typename Part, std::size_t SIZE>
void show(const Part (&array)[SIZE]) {
    for (std::size_t i = 0; i < SIZE; ++i) show<Fixed>(array[i]);
}

// The weights (2 N, inputs) of a gate
template <typename Fixed, int W, std::size_t S, std::size_t F, std::size_t P, std::size_t R>
Matrix unfolded(const ap_uint<W> (&array)[S][F][P][R]) {
    Matrix rows(R * P, Vector(F * S));
    for (std::size_t column = 0; column < R * P; ++column)
        for (std::size_t input = 0; input < F * S; ++input)
            rows[column][input] = whole<Fixed>(array[input % S][input / S][column % P][column / P]);
    return rows;
}

template <typename Fixed, int W, std::size_t P, std::size_t R>
Vector unfolded(const ap_uint<W> (&array)[P][R]) {
    Vector biases(R * P);
    for (std::size_t column = 0; column < R * P; ++column) biases[column] = whole<Fixed>(array[column % P][column / P]);
    return biases;
}

struct Gate {
    Matrix of_input, of_hidden;
    Vector bias_of_input, bias_of_hidden;
};

struct Settings {
    Whole index_exponent, exponent;
    Vector sigmoid, tanh;
    Whole cell_low, cell_high;
    Whole cell_exponents[2];
};

Whole read() {
    Whole number = 0;
    std::cin >> number;
    return number;
}

Vector read(Whole count) {
    Vector numbers(count);
    for (Whole &number : numbers) number = read();
    return numbers;
}

// Division by 2^places, ties upwards
Whole shifted(Whole sum, int places) {
    return places <= 0 ? sum * (Whole(1) << -places) : (sum + ((Whole(1) << places) >> 1)) >> places;
}

Whole within(Whole low, Whole number, Whole high) { return std::max(low, std::min(number, high)); }

Whole looked_up(const Vector &table, Whole sum, int places) {
    Whole half = Whole(table.size()) / 2;
    return table[within(-half, shifted(sum, places), half - 1) + half];
}

Whole dot(const Vector &a, const Vector &b) {
    Whole sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// Hidden states of a direction, by the places of columns in the image
Matrix direction(const Settings &set, const Gate (&gates)[4], const Matrix &image, bool backward) {
    int of_input = 2 - PIXELWIDTH - WEIGHTWIDTH, of_bias = 1 - BIASWIDTH;  // exponents
    int of_hidden = 2 - OUTPUTACTIVATIONHIDDENLAYERWIDTH - WEIGHTWIDTH;
    int finest = std::min(std::min(of_input, of_hidden), of_bias);
    int cell_exponent = int(set.cell_exponents[backward]), table_exponent = int(set.exponent);
    int finest_cell = std::min(cell_exponent, table_exponent);
    Whole one = Whole(1) << (OUTPUTACTIVATIONHIDDENLAYERWIDTH - 1);
    Vector hidden(N), cell(N);
    Matrix states(image.size());
    for (std::size_t step = 0; step < image.size(); ++step) {
        std::size_t place = backward ? image.size() - 1 - step : step;
        Vector next(N);
        for (int unit = 0; unit < N; ++unit) {
            Whole values[4];
            for (int gate = 0; gate < 4; ++gate) {
                const Gate &g = gates[gate];
                int column = unit + backward * N;
                Whole sum = dot(g.of_input[column], image[place]) * (Whole(1) << (of_input - finest)) +
                            dot(g.of_hidden[column], hidden) * (Whole(1) << (of_hidden - finest)) +
                            (g.bias_of_input[column] + g.bias_of_hidden[column]) * (Whole(1) << (of_bias - finest));
                values[gate] = looked_up(gate == 3 ? set.tanh : set.sigmoid, sum, int(set.index_exponent) - finest);
            }
            Whole sums = values[0] * values[3] * (Whole(1) << (table_exponent - finest_cell)) +
                         values[1] * cell[unit] * (Whole(1) << (cell_exponent - finest_cell));
            Whole state = shifted(sums, cell_exponent - table_exponent - finest_cell);
            cell[unit] = within(set.cell_low, state, set.cell_high);
            Whole product = values[2] * looked_up(set.tanh, cell[unit], int(set.index_exponent) - cell_exponent);
            Whole given = shifted(product, 1 - OUTPUTACTIVATIONHIDDENLAYERWIDTH - 2 * table_exponent);
            next[unit] = within(-one, given, one - 1);
        }
        states[place] = hidden = next;
    }
    return states;
}

void print_logits(const Matrix &forward, const Matrix &backward) {
    int of_product = 2 - OUTPUTACTIVATIONHIDDENLAYERWIDTH - FCWEIGHTWIDTH, of_bias = 1 - FCBIASWIDTH;
    int finest = std::min(of_product, of_bias);
    std::cout << "exponent " << finest << "\nlogits";
    for (std::size_t place = 0; place < forward.size(); ++place)
        for (int label = 0; label < C; ++label) {
            Whole products = 0, biases = 0;
            for (int half = 0; half < 2; ++half) {
                biases += whole<t_fixed_bfc>(bfc[0][half * C + label]);
                for (int unit = 0; unit < N; ++unit)
                    products += (half ? backward : forward)[place][unit] *
                                whole<t_fixed_wfc>(wfc[unit][half * C + label]);
            }
            std::cout << ' '
                      << products * (Whole(1) << (of_product - finest)) + biases * (Whole(1) << (of_bias - finest));
        }
    std::cout << '\n';
}

#define SHOW_MACRO(name) std::cout << #name << ' ' << (name) << '\n'
#define SHOW_ARRAY(name) std::cout << #name, show<t_fixed_##name>(name), std::cout << '\n'
#define GATE(name) \
    {unfolded<t_fixed_w##name##_ih>(w##name##_ih), unfolded<t_fixed_w##name##_hh>(w##name##_hh), \
     unfolded<t_fixed_b##name##_ih>(b##name##_ih), unfolded<t_fixed_b##name##_hh>(b##name##_hh)}
#define SHOW_GATE(name) \
    SHOW_ARRAY(w##name##_ih); \
    SHOW_ARRAY(w##name##_hh); \
    SHOW_ARRAY(b##name##_ih); \
    SHOW_ARRAY(b##name##_hh)

void print_header() {
    SHOW_MACRO(PE);
    SHOW_MACRO(SIMD_INPUT);
    SHOW_MACRO(SIMD_RECURRENT);
    SHOW_MACRO(NUMBER_OF_NEURONS);
    SHOW_MACRO(NUMBER_OF_NEURONS_TYPEWIDTH);
    SHOW_MACRO(HEIGHT_IN_PIX);
    SHOW_MACRO(HEIGHT_IN_PIX_TYPEWIDTH);
    SHOW_MACRO(NUMBER_OF_CLASSES);
    SHOW_MACRO(NUMBER_OF_CLASSES_TYPEWIDTH);
    SHOW_MACRO(MAX_NUMBER_COLUMNS_TEST_SET);
    SHOW_MACRO(MAX_NUMBER_COLUMNS_TEST_SET_TYPEWIDTH);
    SHOW_MACRO(SIZE_OF_OUTPUT_BUFFER);
    SHOW_MACRO(PACKEDWIDTH);
    SHOW_MACRO(DATAWIDTH);
    SHOW_MACRO(PIXELWIDTH);
    SHOW_MACRO(WEIGHTWIDTH);
    SHOW_MACRO(BIASWIDTH);
    SHOW_MACRO(FCWEIGHTWIDTH);
    SHOW_MACRO(FCBIASWIDTH);
    SHOW_MACRO(OUTPUTACTIVATIONHIDDENLAYERWIDTH);
    SHOW_MACRO(OUTPUTACTIVATIONOUTPUTLAYERWIDTH);
    SHOW_GATE(gi);
    SHOW_GATE(gf);
    SHOW_GATE(go);
    SHOW_GATE(ci);
    SHOW_ARRAY(wfc);
    SHOW_ARRAY(bfc);
}

int main() {
    print_header();
    Settings set;
    Whole size = read();
    set.index_exponent = read();
    set.exponent = read();
    set.sigmoid = read(size);
    set.tanh = read(size);
    set.cell_low = read();
    set.cell_high = read();
    for (Whole &exponent : set.cell_exponents) exponent = read();
    Matrix image(read());
    for (Vector &column : image) column = read(H);
    if (!std::cin) return 1;
    const Gate gates[4] = {GATE(gi), GATE(gf), GATE(go), GATE(ci)};
    print_logits(direction(set, gates, image, false), direction(set, gates, image, true));
}

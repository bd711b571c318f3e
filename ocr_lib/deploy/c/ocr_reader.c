/* The engine of ocr_reader.h. Shapes: T time steps, F rows, C channels or classes, K filters, H hidden units.
 *
 * Part 1 opens a model: it reads the bytes through a cursor that stops at the end, and checks that all sizes fit into
 * the memory and all sums into their type, whatever the image. Part 2 reads images, and has nothing left to check but
 * their width. Features are kept with channels innermost, (T, F, C), time steps being an image's columns.
 */
#include "ocr_reader.h"

#include <limits.h>
#include <string.h>

/* With AVX2 each lane of a vector has a row's sum, so weights of some rows are side by side, two of each at a time.
 * Elsewhere the lanes are a row's products, summed at its end, so rows are padded to whole vectors. */
#if defined __GNUC__ && defined __AVX2__ && OCR_SUM_BITS == 32
#include <immintrin.h>
#define HAS_AVX2 1
#define SIDE_BY_SIDE OCR_ROWS
#define LANES 2u
#else
#define HAS_AVX2 0
#define SIDE_BY_SIDE 1u
#define LANES OCR_LANES
#endif

/* C99 leaves open what negative numbers become when shifted to the right; every compiler of note does this. */
typedef char ocr_int_is_wide[INT_MAX >= INT32_MAX ? 1 : -1];
typedef char ocr_right_shifts_round_down[(-3 >> 1) == -2 && ((ocr_sum)-3 >> 1) == -2 ? 1 : -1];

#define VERSION 1u
#define HEADER_BYTES 16u
#define MOST_MODEL_BYTES (1u << 28) /* so that sums of absolute weights fit into 64 bits */
#define SIGN (-128) /* in place of a shift: numbers become -1 or 1 */
#define GATES 4u

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint64_t rounded_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

/* Keeps a function out of others, whose variables would take its registers. */
#ifdef __GNUC__
#define OCR_APART __attribute__((noinline))
#else
#define OCR_APART
#endif

/* ---- Packed numbers ---- */

typedef struct {
    const uint8_t *next;
    uint32_t buffer;
    unsigned held; /* bits in the buffer, the next one lowest */
} bit_stream;

static uint32_t take_bits(bit_stream *stream, unsigned bits)
{
    while (stream->held < bits) {
        stream->buffer |= (uint32_t)*stream->next++ << stream->held;
        stream->held += 8;
    }
    const uint32_t value = stream->buffer & ((1u << bits) - 1);
    stream->buffer >>= bits;
    stream->held -= bits;
    return value;
}

static bit_stream row_of(const ocr_matrix *matrix, uint32_t row)
{
    const uint64_t place = (uint64_t)row * matrix->columns * matrix->bits;
    bit_stream stream = {matrix->packed + place / 8, 0, 0};
    if (place % 8)
        (void)take_bits(&stream, (unsigned)(place % 8));
    return stream;
}

/* Returns the next weight: two's complement, or of one bit -1 or 1. */
static int32_t take_weight(bit_stream *stream, unsigned bits)
{
    const int32_t value = (int32_t)take_bits(stream, bits), half = (int32_t)1 << (bits - 1);
    return bits == 1 ? 2 * value - 1 : (value ^ half) - half;
}

/* Unpacks rows from `first` on; those behind the last one are zeros. Some are side by side, two weights of each, then
 * the next two: (count / SIDE_BY_SIDE, stride / 2, SIDE_BY_SIDE, 2). */
static void unpack(const ocr_matrix *matrix, uint32_t first, uint32_t count, int16_t *to)
{
    memset(to, 0, sizeof *to * count * matrix->stride);
    for (uint32_t i = 0; i < count && first + i < matrix->rows; i++) {
        const uint32_t beside = i % SIDE_BY_SIDE;
        int16_t *const row = to + (size_t)(i - beside) * matrix->stride + 2 * beside;
        size_t place = 0;
        for (uint32_t copy = 0; copy < matrix->copies; copy++) {
            bit_stream stream = row_of(matrix, first + i);
            for (uint32_t column = 0; column < matrix->columns; column++, place++)
                row[place / 2 * (2 * SIDE_BY_SIDE) + place % 2] = (int16_t)take_weight(&stream, matrix->bits);
        }
    }
}

uint32_t ocr_crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* ---- Part 1: opening a model ---- */

/* The first error stays, and what is taken from then on is 0. */
typedef struct {
    const uint8_t *next;
    size_t left;
    ocr_error error;
} cursor;

static void demand(cursor *from, int condition, ocr_error error)
{
    if (!condition && !from->error)
        from->error = error;
}

static const uint8_t *take(cursor *from, uint64_t bytes)
{
    const uint8_t *const taken = from->next;
    demand(from, bytes <= from->left, OCR_DAMAGED);
    if (from->error)
        return NULL;
    from->next += (size_t)bytes;
    from->left -= (size_t)bytes;
    return taken;
}

static uint64_t take_wide(cursor *from, unsigned bytes)
{
    const uint8_t *const taken = take(from, bytes);
    uint64_t value = 0;
    for (unsigned i = bytes; taken && i-- > 0;)
        value = value << 8 | taken[i];
    return value;
}

static uint32_t take_number(cursor *from, unsigned bytes) { return (uint32_t)take_wide(from, bytes); }

static int64_t take_signed(cursor *from, unsigned bytes)
{
    const uint64_t value = take_wide(from, bytes), half = (uint64_t)1 << (8 * bytes - 1);
    return value < half ? (int64_t)value : -(int64_t)(half - 1 - (value - half)) - 1;
}

/* Returns a number from 1 to `most`. */
static uint32_t take_size(cursor *from, unsigned bytes, uint32_t most, ocr_error error)
{
    const uint32_t size = take_number(from, bytes);
    demand(from, size > 0, OCR_DAMAGED);
    demand(from, size <= most, error);
    return from->error ? 1 : size;
}

/* Takes how far a sum within [-*bound, *bound] is shifted to the left; returns what it is multiplied by. */
static ocr_sum take_left(cursor *from, int64_t *bound)
{
    const uint32_t left = take_number(from, 1);
    demand(from, left < OCR_SUM_BITS - 1 && *bound <= (int64_t)OCR_SUM_MAX >> (left & 63), OCR_NEEDS_SUM_BITS);
    demand(from, left == 0 || *bound > 0, OCR_DAMAGED); /* so that factors are no greater than sums */
    if (from->error)
        return 1;
    *bound *= (int64_t)1 << left;
    return (ocr_sum)1 << left;
}

/* Takes the shift of numbers within [-bound, bound]. */
static ocr_scale take_scale(cursor *from, int64_t bound, ocr_sum low, ocr_sum high)
{
    ocr_scale scale = {1, 0, low, high, 0};
    const int shift = (int)take_signed(from, 1);
    const unsigned left = shift == SIGN ? 1 : shift < 0 ? (unsigned)-shift : 0, right = shift < 0 ? 0 : (unsigned)shift;
    const int64_t half = shift == SIGN ? 1 : (int64_t)(((uint64_t)1 << (right & 63)) >> 1);
    demand(from, low <= high, OCR_DAMAGED);
    demand(from, left < OCR_SUM_BITS - 1 && right < OCR_SUM_BITS - 1, OCR_NEEDS_SUM_BITS);
    demand(from, bound <= ((int64_t)OCR_SUM_MAX - half) >> (left & 63), OCR_NEEDS_SUM_BITS);
    if (from->error)
        return scale;
    scale.multiplier = (ocr_sum)1 << left;
    scale.half = (ocr_sum)half;
    scale.right = right;
    return scale;
}

static ocr_sum *take_constants(ocr_reader *reader, cursor *from, uint64_t count)
{
    demand(from, count <= OCR_CONSTANTS - reader->constants_used, OCR_NEEDS_CONSTANTS);
    if (from->error)
        return reader->constants;
    reader->constants_used += (size_t)count;
    return reader->constants + (reader->constants_used - (size_t)count);
}

static ocr_matrix take_matrix(ocr_reader *reader, cursor *from, uint32_t rows, uint64_t columns, uint32_t copies)
{
    ocr_matrix matrix = {NULL, rows, (uint32_t)columns, 1, copies, 0, 0};
    demand(from, columns * copies < MOST_MODEL_BYTES * 8u, OCR_DAMAGED);
    matrix.bits = take_size(from, 1, 16, OCR_DAMAGED);
    matrix.packed = take(from, (rows * columns * matrix.bits + 7) / 8);
    if (from->error)
        return matrix;
    matrix.stride = (uint32_t)rounded_up(columns * copies, LANES);
    matrix.place = (size_t)reader->weights_used;
    reader->weights_used += rounded_up(rows, OCR_ROWS) * matrix.stride;
    return matrix;
}

/* Returns the largest sum of a row's products with numbers within [-peak, peak]. */
static int64_t row_bound(const ocr_matrix *matrix, uint32_t row, int64_t peak)
{
    bit_stream stream = row_of(matrix, row);
    int64_t sum = 0;
    for (uint32_t column = 0; column < matrix->columns; column++) {
        const int32_t weight = take_weight(&stream, matrix->bits);
        sum += weight < 0 ? -weight : weight;
    }
    return sum * matrix->copies * peak;
}

/* Takes biases (rows), and adds their magnitudes to the bounds of sums, if there is room. */
static ocr_sum take_bias(cursor *from, unsigned bytes, int64_t *bound)
{
    const int64_t bias = take_signed(from, bytes), room = (int64_t)OCR_SUM_MAX - *bound;
    demand(from, bias <= room && bias >= -room, OCR_NEEDS_SUM_BITS);
    if (from->error)
        return 0;
    *bound += bias < 0 ? -bias : bias;
    return (ocr_sum)bias;
}

static void open_alphabet(ocr_reader *reader, cursor *from)
{
    uint32_t characters = 0, longest = 1, i = 0;
    const uint32_t bytes = take_number(from, 4);
    const uint8_t *const alphabet = take(from, bytes);
    while (!from->error && i < bytes) {
        const uint8_t first = alphabet[i];
        const uint32_t length = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        demand(from, first > 0 && first < 0xF8 && length > 0 && length <= bytes - i, OCR_DAMAGED);
        for (uint32_t j = 1; !from->error && j < length; j++)
            demand(from, (alphabet[i + j] & 0xC0) == 0x80, OCR_DAMAGED);
        longest = length > longest ? length : longest;
        characters++;
        i += length;
    }
    demand(from, characters + 1 == reader->classes, OCR_DAMAGED);
    reader->longest = longest;
    reader->alphabet = alphabet;
    reader->alphabet_end = from->error ? alphabet : alphabet + bytes;
}

/* Takes a table of numbers that never fall: for each a 0, behind as many 1 as it is above the one before. */
static void open_table(const ocr_reader *reader, cursor *from, int16_t *table, int64_t *peak)
{
    int32_t value = (int32_t)take_signed(from, 2);
    const uint32_t bytes = take_number(from, 2);
    const uint8_t *const packed = take(from, bytes);
    uint32_t entry = 0;
    for (uint32_t bit = 0; !from->error && bit < 8 * bytes && entry < 1u << reader->table_bits; bit++) {
        if (packed[bit / 8] >> bit % 8 & 1) {
            value++;
            demand(from, value <= INT16_MAX, OCR_DAMAGED);
        } else {
            table[entry++] = (int16_t)value;
            *peak = value > *peak ? value : -value > *peak ? -value : *peak;
        }
    }
    demand(from, entry == 1u << reader->table_bits, OCR_DAMAGED);
}

static void open_convolution(ocr_reader *reader, cursor *from, ocr_convolution *c, int64_t *peak)
{
    c->filters = take_size(from, 2, UINT16_MAX, OCR_DAMAGED);
    c->kernel_steps = take_size(from, 1, UINT8_MAX, OCR_DAMAGED);
    c->kernel_rows = take_size(from, 1, UINT8_MAX, OCR_DAMAGED);
    c->margin_steps = take_number(from, 1);
    c->margin_rows = take_number(from, 1);
    demand(from, c->margin_steps < c->kernel_steps && c->margin_rows < c->kernel_rows, OCR_DAMAGED);
    c->pool_steps = take_size(from, 1, UINT8_MAX, OCR_DAMAGED);
    c->pool_rows = take_size(from, 1, UINT8_MAX, OCR_DAMAGED);
    demand(from, c->rows + 2 * c->margin_rows >= c->kernel_rows, OCR_DAMAGED);
    demand(from, (uint64_t)(c->rows + 2 * c->margin_rows) * c->channels <= OCR_NUMBERS, OCR_NEEDS_NUMBERS);
    c->out_rows = (c->rows + 2 * c->margin_rows - c->kernel_rows + 1) / c->pool_rows;
    demand(from, c->out_rows > 0 && c->out_rows <= UINT16_MAX, OCR_DAMAGED);
    c->high = (ocr_sum)take_signed(from, 2);
    demand(from, c->high >= 0, OCR_DAMAGED);

    c->weights = take_matrix(reader, from, c->filters, (uint64_t)c->kernel_steps * c->kernel_rows * c->channels, 1);

    const uint32_t filters = (uint32_t)rounded_up(c->filters, OCR_ROWS);
    ocr_sum *const constants = c->constants = take_constants(reader, from, 3 * filters);
    const unsigned bias_bytes = take_size(from, 1, 8, OCR_DAMAGED);
    for (uint32_t k = 0; !from->error && k < c->filters; k++) {
        int64_t bound = row_bound(&c->weights, k, *peak);
        const ocr_sum left = take_left(from, &bound), bias = take_bias(from, bias_bytes, &bound);
        const ocr_scale scale = take_scale(from, bound, 0, c->high);
        constants[k] = left * scale.multiplier;
        constants[filters + k] = bias * scale.multiplier + scale.half;
        constants[2 * filters + k] = (ocr_sum)scale.right;
    }
    *peak = c->high;
}

/* Takes the biases (count) of sums within [-*bound, *bound], and adds the largest to the bound. */
static void take_biases(cursor *from, unsigned bytes, ocr_sum *biases, uint32_t count, int64_t *bound)
{
    int64_t most = *bound;
    for (uint32_t i = 0; !from->error && i < count; i++) {
        int64_t with_bias = *bound;
        biases[i] = take_bias(from, bytes, &with_bias);
        most = with_bias > most ? with_bias : most;
    }
    *bound = most;
}

/* Returns the largest sum of products of the rows from `first` on. */
static int64_t rows_bound(const ocr_matrix *matrix, uint32_t first, uint32_t count, int64_t peak)
{
    int64_t most = 0;
    for (uint32_t row = first; row < first + count; row++) {
        const int64_t bound = row_bound(matrix, row, peak);
        most = bound > most ? bound : most;
    }
    return most;
}

/* What all directions have in common. */
typedef struct {
    uint64_t features;
    uint32_t copies;
    int64_t peak, hidden_peak, table_peak; /* largest magnitudes: of the input, of hidden states, in the tables */
    ocr_sum cell_low, cell_high;
} lstm_input;

static void open_direction(ocr_reader *reader, cursor *from, ocr_direction *d, const lstm_input *input)
{
    const uint32_t hidden = reader->hidden;
    const ocr_sum index_high = (ocr_sum)((1 << (reader->table_bits - 1)) - 1);
    d->of_input = take_matrix(reader, from, GATES * hidden, input->features, input->copies);
    d->of_hidden = take_matrix(reader, from, GATES * hidden, hidden, 1);
    d->bias = take_constants(reader, from, GATES * hidden);
    const unsigned bias_bytes = take_size(from, 1, 8, OCR_DAMAGED);
    for (uint32_t gate = 0; !from->error && gate < GATES; gate++) {
        int64_t bound = rows_bound(&d->of_input, gate * hidden, hidden, input->peak);
        int64_t of_hidden = rows_bound(&d->of_hidden, gate * hidden, hidden, input->hidden_peak);
        d->left_input[gate] = take_left(from, &bound);
        d->left_hidden[gate] = take_left(from, &of_hidden);
        demand(from, of_hidden <= (int64_t)OCR_SUM_MAX - bound, OCR_NEEDS_SUM_BITS);
        bound += from->error ? 0 : of_hidden;
        take_biases(from, bias_bytes, d->bias + gate * hidden, hidden, &bound);
        const ocr_scale scale = d->index[gate] = take_scale(from, bound, -index_high - 1, index_high);
        d->left_input[gate] *= scale.multiplier;
        d->left_hidden[gate] *= scale.multiplier;
        for (uint32_t u = gate * hidden; !from->error && u < (gate + 1) * hidden; u++)
            d->bias[u] = d->bias[u] * scale.multiplier + scale.half;
    }
    const int64_t cell_peak = -input->cell_low > input->cell_high ? -input->cell_low : input->cell_high;
    int64_t bound = input->table_peak * input->table_peak, kept = input->table_peak * cell_peak;
    d->left_new = take_left(from, &bound);
    d->left_kept = take_left(from, &kept);
    demand(from, kept <= (int64_t)OCR_SUM_MAX - bound, OCR_NEEDS_SUM_BITS);
    bound += from->error ? 0 : kept;
    d->cell = take_scale(from, bound, input->cell_low, input->cell_high);
    d->left_new *= d->cell.multiplier;
    d->left_kept *= d->cell.multiplier;
    d->cell_index = take_scale(from, cell_peak, -index_high - 1, index_high);
}

static void open_layers(ocr_reader *reader, cursor *from, uint64_t features, int64_t peak)
{
    lstm_input input = {features, 1, peak, 0, 0, 0, 0};
    open_table(reader, from, reader->sigmoid, &input.table_peak);
    open_table(reader, from, reader->tanh, &input.table_peak);
    const ocr_sum low = (ocr_sum)take_signed(from, 2), high = (ocr_sum)take_signed(from, 2);
    reader->hidden_scale = take_scale(from, input.table_peak * input.table_peak, low, high);
    input.hidden_peak = -low > high ? -low : high;
    input.cell_low = (ocr_sum)take_signed(from, 2);
    input.cell_high = (ocr_sum)take_signed(from, 2);
    /* Sums of two directions of 16 bits need 17: the next layer reads one behind the other, with its weights twice. */
    reader->is_doubled = reader->is_summed && (2 * low < INT16_MIN || 2 * high > INT16_MAX);

    const int is_side_by_side = reader->num_directions == 2 && !reader->is_summed;
    for (uint32_t i = 0; !from->error && i < reader->num_layers * reader->num_directions; i++) {
        open_direction(reader, from, &reader->directions[i], &input);
        if ((i + 1) % reader->num_directions == 0) {
            input.features = (uint64_t)reader->hidden * (is_side_by_side ? 2 : 1);
            input.copies = reader->is_doubled ? 2 : 1;
            input.peak = input.hidden_peak * (reader->is_summed && !reader->is_doubled ? 2 : 1);
        }
    }
    reader->classifier = take_matrix(reader, from, reader->classes, input.features, input.copies);
    int64_t bound = from->error ? 0 : rows_bound(&reader->classifier, 0, reader->classes, input.peak);
    reader->left_classifier = take_left(from, &bound);
    reader->bias_classifier = take_constants(reader, from, reader->classes);
    take_biases(from, take_size(from, 1, 8, OCR_DAMAGED), reader->bias_classifier, reader->classes, &bound);
}

static uint32_t steps_behind(const ocr_convolution *c, uint32_t steps)
{
    const uint32_t framed = steps + 2 * c->margin_steps;
    return framed < c->kernel_steps ? 0 : (framed - c->kernel_steps + 1) / c->pool_steps;
}

/* Returns how many numbers a time step of a layer's input takes: of convolutions, LSTM layers, then the classifier. */
static uint32_t input_stride(const ocr_reader *reader, uint32_t layer)
{
    if (layer < reader->num_convolutions && layer < OCR_CONVOLUTIONS) { /* the second, for gcc to see */
        const ocr_convolution *const c = &reader->convolutions[layer];
        return (c->rows + 2 * c->margin_rows) * c->channels;
    }
    const uint32_t lstm_layer = layer - reader->num_convolutions;
    return lstm_layer < reader->num_layers ? reader->directions[lstm_layer * reader->num_directions].of_input.stride
                                           : reader->classifier.stride;
}

/* Returns how many rows an LSTM layer's weights take. */
static uint32_t rows_of_gates(const ocr_reader *reader)
{
    return (uint32_t)rounded_up(GATES * reader->hidden, OCR_ROWS);
}

/* Checks that all that images of the greatest width need fits into `numbers` and `sums`, and parts `numbers`. */
static void plan(ocr_reader *reader, cursor *from, uint32_t steps)
{
    const uint64_t hidden = reader->hidden, of_gates = rounded_up(GATES * hidden, OCR_LANES);
    uint64_t working = of_gates + 2 * rounded_up(hidden, OCR_LANES), sums = 2 * rows_of_gates(reader);
    uint64_t pairs = 0, before = 0;
    for (uint32_t i = 0; i < reader->num_convolutions; i++) {
        const ocr_convolution *const c = &reader->convolutions[i];
        const uint64_t rows = (uint64_t)c->out_rows * c->pool_rows;
        const uint64_t lines = c->kernel_steps + c->pool_steps - 1;
        const uint64_t laid_out = rows * c->kernel_rows * c->channels * lines + OCR_LANES;
        working = laid_out > working ? laid_out : working;
        const uint64_t at_once = (rows + c->out_rows) * rounded_up(c->filters, OCR_ROWS);
        sums = at_once > sums ? at_once : sums;
    }
    sums = rounded_up(reader->classes, OCR_ROWS) > sums ? rounded_up(reader->classes, OCR_ROWS) : sums;
    for (uint32_t i = 0; i <= reader->num_convolutions + reader->num_layers; i++) {
        const uint64_t numbers = rounded_up((uint64_t)steps * input_stride(reader, i), OCR_LANES);
        pairs = before + numbers > pairs ? before + numbers : pairs;
        before = numbers;
        steps = i < reader->num_convolutions ? steps_behind(&reader->convolutions[i], steps) : steps;
    }
    demand(from, steps > 0, OCR_DAMAGED);
    demand(from, rounded_up(working, OCR_LANES) + pairs <= OCR_NUMBERS, OCR_NEEDS_NUMBERS);
    demand(from, sums <= OCR_SUMS, OCR_NEEDS_SUMS);
    reader->activations = (uint32_t)((OCR_NUMBERS - pairs) / OCR_LANES * OCR_LANES);
}

static void open_matrix(ocr_reader *reader, cursor *from, const ocr_matrix *matrix, uint32_t rows_at_once)
{
    const uint32_t rows = (uint32_t)rounded_up(matrix->rows, OCR_ROWS);
    demand(from, reader->is_resident || (uint64_t)rows_at_once * matrix->stride <= OCR_WEIGHTS, OCR_NEEDS_WEIGHTS);
    if (reader->is_resident && !from->error)
        unpack(matrix, 0, rows, reader->weights + matrix->place);
}

/* Unpacks all weights if there is room; otherwise checks that what is needed at once fits. */
static void open_weights(ocr_reader *reader, cursor *from)
{
    reader->is_resident = reader->weights_used <= OCR_WEIGHTS;
    for (uint32_t i = 0; !from->error && i < reader->num_convolutions; i++)
        open_matrix(reader, from, &reader->convolutions[i].weights, OCR_ROWS);
    for (uint32_t i = 0; !from->error && i < reader->num_layers * reader->num_directions; i++) {
        open_matrix(reader, from, &reader->directions[i].of_input, OCR_ROWS);
        open_matrix(reader, from, &reader->directions[i].of_hidden, rows_of_gates(reader));
    }
    open_matrix(reader, from, &reader->classifier, OCR_ROWS);
}

static void open_body(ocr_reader *reader, cursor *from)
{
    reader->height = take_size(from, 2, UINT16_MAX, OCR_DAMAGED);
    reader->width = take_number(from, 2);
    demand(from, reader->width <= OCR_MAX_WIDTH, OCR_NEEDS_WIDTH);
    reader->classes = take_size(from, 2, UINT16_MAX, OCR_DAMAGED);
    reader->exponent = (int32_t)take_signed(from, 2);
    reader->num_convolutions = take_number(from, 1);
    demand(from, reader->num_convolutions <= OCR_CONVOLUTIONS, OCR_NEEDS_CONVOLUTIONS);
    reader->num_layers = take_size(from, 1, UINT8_MAX, OCR_DAMAGED);
    reader->num_directions = take_size(from, 1, 2, OCR_DAMAGED);
    demand(from, reader->num_layers * reader->num_directions <= OCR_DIRECTIONS, OCR_NEEDS_DIRECTIONS);
    reader->is_summed = take_number(from, 1);
    demand(from, reader->is_summed <= reader->num_directions - 1, OCR_DAMAGED);
    reader->hidden = take_size(from, 2, UINT16_MAX, OCR_DAMAGED);
    reader->table_bits = take_size(from, 1, 12, OCR_DAMAGED);
    demand(from, 1u << reader->table_bits <= OCR_TABLE, OCR_NEEDS_TABLE);
    open_alphabet(reader, from);

    int64_t peak = 0;
    for (uint32_t i = 0; i < 256; i++) {
        reader->grey[i] = (int16_t)take_signed(from, 2);
        peak = reader->grey[i] > peak ? reader->grey[i] : -reader->grey[i] > peak ? -reader->grey[i] : peak;
    }
    uint32_t rows = reader->height, channels = 1, steps = reader->width ? reader->width : OCR_MAX_WIDTH;
    const uint32_t width = steps;
    for (uint32_t i = 0; !from->error && i < reader->num_convolutions; i++) {
        ocr_convolution *const c = &reader->convolutions[i];
        c->rows = rows;
        c->channels = channels;
        open_convolution(reader, from, c, &peak);
        rows = c->out_rows;
        channels = c->filters;
        steps = steps_behind(c, steps);
    }
    open_layers(reader, from, (uint64_t)rows * channels, peak);
    demand(from, from->left == 0, OCR_DAMAGED);
    demand(from, steps <= OCR_STEPS, OCR_NEEDS_STEPS);
    demand(from, (uint64_t)reader->longest * steps < OCR_TEXT_BYTES, OCR_NEEDS_TEXT_BYTES);
    if (!from->error)
        plan(reader, from, width);
    if (!from->error)
        open_weights(reader, from);
}

ocr_error ocr_open(ocr_reader *reader, const uint8_t *model, size_t size)
{
    cursor from = {model, size, OCR_OK};
    memset(reader, 0, sizeof *reader);
    demand(&from, size >= HEADER_BYTES && memcmp(model, "OCRi", 4) == 0, OCR_NO_MODEL);
    (void)take(&from, 4);
    demand(&from, take_number(&from, 4) == VERSION, OCR_OTHER_VERSION);
    const uint32_t stated = take_number(&from, 4), crc = take_number(&from, 4);
    demand(&from, stated == size && size < MOST_MODEL_BYTES, OCR_CUT_OFF);
    demand(&from, from.error || ocr_crc32(0, from.next, from.left) == crc, OCR_CHECKSUM);
    if (!from.error)
        open_body(reader, &from);
    reader->is_open = !from.error;
    return from.error;
}

/* ---- Part 2: reading images ---- */

/* Returns rows of a matrix, unpacked: (count, stride). */
static const int16_t *rows_of(ocr_reader *reader, const ocr_matrix *matrix, uint32_t first, uint32_t count)
{
    if (reader->is_resident)
        return reader->weights + matrix->place + (size_t)first * matrix->stride;
    unpack(matrix, first, count, reader->weights);
    return reader->weights;
}

/* Returns how many rows of a matrix, a multiple of OCR_ROWS, can be unpacked at once. */
static uint32_t rows_at_once(const ocr_reader *reader, const ocr_matrix *matrix)
{
    const uint32_t rows = (uint32_t)rounded_up(matrix->rows, OCR_ROWS);
    return reader->is_resident ? rows : least(rows, (uint32_t)(OCR_WEIGHTS / matrix->stride / OCR_ROWS * OCR_ROWS));
}

/* Sums (count, rows) of products of x (count, n) and weights (rows, n), for n a multiple of the lanes and rows one of
 * OCR_ROWS. Nearly all time is spent in them. */
typedef struct {
    const int16_t *x, *weights;
    ocr_sum *sums;
    size_t x_stride, sums_stride, count, rows, n;
} product;

#if HAS_AVX2
static size_t place_of(size_t i, size_t count) { return i < count ? i : count - 1; }

/* Computes some of the sums: of x from `first` on and of two or four times OCR_ROWS rows, so that what is loaded has
 * several products. Behind the last one of either comes the last one again. */
static inline __attribute__((always_inline)) void multiply_tile(const product *p, size_t first, size_t some,
                                                                size_t piece, size_t pieces)
{
    const int16_t *x[4], *weights[4];
    size_t place[4], row[4];
    __m256i sums[4][4], of_rows[4];
    for (size_t k = 0; k < pieces; k++) {
        row[k] = place_of(piece + k, p->rows / OCR_ROWS) * OCR_ROWS;
        weights[k] = p->weights + row[k] * p->n;
    }
    for (size_t i = 0; i < some; i++) {
        place[i] = place_of(first + i, p->count);
        x[i] = p->x + place[i] * p->x_stride;
        for (size_t k = 0; k < pieces; k++)
            sums[i][k] = _mm256_setzero_si256();
    }
    for (size_t j = 0; j < p->n; j += 2) {
        for (size_t k = 0; k < pieces; k++) {
            of_rows[k] = _mm256_loadu_si256((const void *)(weights[k] + j * OCR_ROWS));
            __asm__("" : "+x"(of_rows[k])); /* otherwise gcc loads it again for each product */
        }
        for (size_t i = 0; i < some; i++) {
            int32_t pair;
            memcpy(&pair, x[i] + j, sizeof pair);
            for (size_t k = 0; k < pieces; k++)
                sums[i][k] = _mm256_add_epi32(sums[i][k], _mm256_madd_epi16(_mm256_set1_epi32(pair), of_rows[k]));
        }
    }
    for (size_t i = 0; i < some; i++)
        for (size_t k = 0; k < pieces; k++)
            _mm256_storeu_si256((void *)(p->sums + place[i] * p->sums_stride + row[k]), sums[i][k]);
}

OCR_APART static void multiply(product p)
{
    const size_t pieces = p.rows / OCR_ROWS;
    for (size_t piece = 0; p.count == 1 && piece < pieces; piece += 4)
        multiply_tile(&p, 0, 1, piece, 4);
    for (size_t piece = 0; p.count > 1 && piece < pieces; piece += 2)
        for (size_t i = 0; i < p.count; i += 4) {
            if (p.count - i > 2)
                multiply_tile(&p, i, 4, piece, 2);
            else
                multiply_tile(&p, i, 2, piece, 2);
        }
}
#else
/* Compilers turn the inner loop into vectors of products that are summed in pairs. */
OCR_APART static void multiply(product p)
{
    const size_t n = p.n / LANES * LANES; /* for compilers to see */
    for (size_t row = 0; row < p.rows; row += 4) {
        const int16_t *const w0 = p.weights + row * n, *const w1 = w0 + n, *const w2 = w1 + n, *const w3 = w2 + n;
        for (size_t i = 0; i < p.count; i++) {
            const int16_t *const x = p.x + i * p.x_stride;
            ocr_sum sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
            for (size_t j = 0; j < n; j++) {
                sum0 += x[j] * w0[j];
                sum1 += x[j] * w1[j];
                sum2 += x[j] * w2[j];
                sum3 += x[j] * w3[j];
            }
            ocr_sum *const to = p.sums + i * p.sums_stride + row;
            to[0] = sum0;
            to[1] = sum1;
            to[2] = sum2;
            to[3] = sum3;
        }
    }
}
#endif

/* Sets sums (count, rows of the matrix rounded up to OCR_ROWS) to x (count, stride) times a matrix. */
static void multiply_by(ocr_reader *reader, const ocr_matrix *matrix, const int16_t *x, size_t count, ocr_sum *sums)
{
    const uint32_t rows = (uint32_t)rounded_up(matrix->rows, OCR_ROWS), at_once = rows_at_once(reader, matrix);
    for (uint32_t first = 0; first < rows; first += at_once) {
        const uint32_t part = least(at_once, rows - first);
        const int16_t *const weights = rows_of(reader, matrix, first, part);
        multiply((product){x, weights, sums + first, matrix->stride, rows, count, part, matrix->stride});
    }
}

/* Shifts what is multiplied already and has the half, and cuts it off. */
static inline ocr_sum shifted(ocr_sum x, ocr_scale scale)
{
    const ocr_sum y = x >> scale.right, above = y < scale.low ? scale.low : y;
    return above > scale.high ? scale.high : above;
}

/* Sets x (T, F + margins, 1) to what the network takes for an image (F, T). */
static void look_up(const ocr_reader *reader, const uint8_t *image, uint32_t steps, int16_t *x)
{
    const uint32_t stride = input_stride(reader, 0);
    const uint32_t margin = reader->num_convolutions ? reader->convolutions[0].margin_rows : 0;
    memset(x, 0, sizeof *x * steps * stride);
    for (uint32_t row = 0; row < reader->height; row++)
        for (uint32_t step = 0; step < steps; step++)
            x[(size_t)step * stride + margin + row] = reader->grey[image[(size_t)row * steps + step]];
}

/* Lays out x (T, F + margins, C) as runs (F', lines, kernel rows C) of what the kernel sees of each line, such that
 * what it sees at a time step is in one piece. Lines are time steps from `first` on, those in the margins included. */
static void lay_out(const ocr_convolution *c, const int16_t *x, uint32_t steps, uint32_t first, uint32_t lines,
                    int16_t *runs)
{
    const size_t channels = c->channels, run = c->kernel_rows * channels;
    const size_t stride = (c->rows + 2 * c->margin_rows) * channels;
    for (uint32_t line = 0; line < lines; line++) {
        const uint32_t step = first + line - c->margin_steps; /* wraps around before the image */
        const int16_t *const from = step < steps ? x + step * stride : NULL;
        for (uint32_t row = 0; row < c->out_rows * c->pool_rows; row++) {
            int16_t *const to = runs + (size_t)row * lines * run + line * run;
            for (size_t i = 0; i < run; i++)
                to[i] = from ? from[row * channels + i] : (int16_t)0;
        }
    }
}

/* Sets largest (F', filters) to the largest sums (F' pool, filters) in windows; those of other time steps count too,
 * unless this one `is_first`. */
static void pool(const ocr_convolution *c, const ocr_sum *restrict sums, size_t filters, int is_first,
                 ocr_sum *restrict largest)
{
    for (uint32_t row = 0; row < c->out_rows; row++, largest += filters, sums += c->pool_rows * filters) {
        const ocr_sum *const second = sums + (c->pool_rows > 1 ? filters : 0);
        for (size_t k = 0; is_first && k < filters; k++)
            largest[k] = sums[k] > second[k] ? sums[k] : second[k];
        for (uint32_t offset = is_first ? 2 : 0; offset < c->pool_rows; offset++)
            for (size_t k = 0; k < filters; k++)
                largest[k] = sums[offset * filters + k] > largest[k] ? sums[offset * filters + k] : largest[k];
    }
}

/* Sets numbers (count) to sums with their biases, shifted to fewer bits; ReLU is no more than the lower end. */
static void finish(const ocr_convolution *c, const ocr_sum *restrict sums, uint32_t first, uint32_t count,
                   int16_t *restrict numbers)
{
    const size_t filters = (size_t)rounded_up(c->filters, OCR_ROWS);
    const ocr_sum *const multiplier = c->constants + first, *const bias = multiplier + filters;
    const ocr_sum *const right = bias + filters, high = c->high;
    for (uint32_t k = 0; k < count; k++) {
        const ocr_sum number = (sums[k] * multiplier[k] + bias[k]) >> right[k], positive = number > 0 ? number : 0;
        numbers[k] = (int16_t)(positive < high ? positive : high);
    }
}

/* Puts x (T, F + margins, C) through a convolution: to (T', out_stride). Where weights are unpacked as they are needed
 * a part of the filters goes after another; of the time steps as many as there is room for are laid out at once. */
static void convolve(ocr_reader *reader, const ocr_convolution *c, const int16_t *x, uint32_t steps, int16_t *out,
                     size_t out_stride, size_t out_margin)
{
    const uint32_t filters = (uint32_t)rounded_up(c->filters, OCR_ROWS);
    const uint32_t filters_at_once = rows_at_once(reader, &c->weights);
    const uint32_t rows = c->out_rows * c->pool_rows, run = c->kernel_rows * c->channels;
    const uint32_t n = c->weights.stride, out_steps = steps_behind(c, steps);
    const uint32_t lines_at_once = (reader->activations - OCR_LANES) / (rows * run);
    const uint32_t steps_at_once = least(out_steps, (lines_at_once - c->kernel_steps + 1) / c->pool_steps);
    int16_t *const runs = reader->numbers;
    memset(out, 0, sizeof *out * out_steps * out_stride);
    for (uint32_t begin = 0; begin < filters; begin += filters_at_once) {
        const uint32_t part = least(filters_at_once, filters - begin);
        const int16_t *const weights = rows_of(reader, &c->weights, begin, part);
        ocr_sum *const sums = reader->sums, *const largest = sums + (size_t)rows * part;
        for (uint32_t first = 0; first < out_steps; first += steps_at_once) {
            const uint32_t last = least(first + steps_at_once, out_steps);
            const uint32_t lines = (last - first) * c->pool_steps + c->kernel_steps - 1;
            lay_out(c, x, steps, first * c->pool_steps, lines, runs);
            for (uint32_t step = 0; step < (last - first) * c->pool_steps; step++) {
                multiply((product){runs + step * run, weights, sums, (size_t)lines * run, part, rows, part, n});
                pool(c, sums, part, step % c->pool_steps == 0, largest);
                if ((step + 1) % c->pool_steps)
                    continue;
                int16_t *to = out + (first + step / c->pool_steps) * out_stride + out_margin * c->filters + begin;
                for (uint32_t row = 0; row < c->out_rows; row++, to += c->filters)
                    finish(c, largest + (size_t)row * part, begin, least(part, c->filters - begin), to);
            }
        }
    }
}

/* Computes a time step of H hidden units. States are h and c (H); gates (4, H) is for what is on the way. */
static void step_lstm(const ocr_reader *reader, const ocr_direction *d, const ocr_sum *restrict of_input,
                      const ocr_sum *restrict of_hidden, int16_t *restrict h, int16_t *restrict c,
                      int16_t *restrict gates)
{
    const uint32_t hidden = reader->hidden;
    const uint32_t middle = 1u << (reader->table_bits - 1);
    const int16_t *const sigmoid = reader->sigmoid + middle, *const tangent = reader->tanh + middle;
    int16_t *const i = gates, *const f = i + hidden, *const g = f + hidden, *const o = g + hidden;
    for (uint32_t gate = 0; gate < GATES; gate++) {
        const ocr_scale scale = d->index[gate];
        const ocr_sum left_input = d->left_input[gate], left_hidden = d->left_hidden[gate];
        for (uint32_t u = gate * hidden; u < (gate + 1) * hidden; u++) {
            const ocr_sum sum = of_input[u] * left_input + of_hidden[u] * left_hidden + d->bias[u];
            gates[u] = (int16_t)shifted(sum, scale);
        }
    }
    for (uint32_t u = 0; u < hidden; u++) {
        i[u] = sigmoid[i[u]];
        f[u] = sigmoid[f[u]];
        g[u] = tangent[g[u]];
        o[u] = sigmoid[o[u]];
    }
    const ocr_scale cell = d->cell, cell_index = d->cell_index, hidden_scale = reader->hidden_scale;
    const ocr_sum left_new = d->left_new, left_kept = d->left_kept;
    for (uint32_t u = 0; u < hidden; u++) {
        const ocr_sum state = shifted(i[u] * g[u] * left_new + f[u] * c[u] * left_kept + cell.half, cell);
        c[u] = (int16_t)state;
        i[u] = (int16_t)shifted(state * cell_index.multiplier + cell_index.half, cell_index);
    }
    for (uint32_t u = 0; u < hidden; u++)
        i[u] = tangent[i[u]];
    for (uint32_t u = 0; u < hidden; u++)
        h[u] = (int16_t)shifted(o[u] * i[u] * hidden_scale.multiplier + hidden_scale.half, hidden_scale);
}

/* Puts x (T, stride) through a direction, as many time steps at once as there is room for: to (T, out_stride). */
static void run_direction(ocr_reader *reader, const ocr_direction *d, int is_reversed, int is_added, const int16_t *x,
                          uint32_t steps, int16_t *out, size_t out_stride)
{
    const uint32_t hidden = reader->hidden, rows = rows_of_gates(reader);
    const uint32_t at_once = (uint32_t)least(steps, (uint32_t)(OCR_SUMS / rows - 1));
    ocr_sum *const of_hidden = reader->sums, *const of_input = of_hidden + rows;
    int16_t *const gates = reader->numbers, *const h = gates + rounded_up(rows, OCR_LANES);
    int16_t *const c = h + d->of_hidden.stride;
    memset(h, 0, sizeof *h * (d->of_hidden.stride + hidden));
    for (uint32_t done = 0; done < steps; done += at_once) {
        const uint32_t part = least(at_once, steps - done), first = is_reversed ? steps - done - part : done;
        multiply_by(reader, &d->of_input, x + (size_t)first * d->of_input.stride, part, of_input);
        const int16_t *const weights = rows_of(reader, &d->of_hidden, 0, rows);
        for (uint32_t i = 0; i < part; i++) {
            const uint32_t step = is_reversed ? part - 1 - i : i;
            int16_t *const to = out + (first + step) * out_stride;
            multiply((product){h, weights, of_hidden, 0, rows, 1, rows, d->of_hidden.stride});
            step_lstm(reader, d, of_input + (size_t)step * rows, of_hidden, h, c, gates);
            for (uint32_t u = 0; u < hidden; u++)
                to[u] = (int16_t)(is_added ? to[u] + h[u] : h[u]);
        }
    }
}

/* Returns where in `numbers` the input of a layer is: of those in turn, one from the front and one up to the end. */
static int16_t *input_of(ocr_reader *reader, uint32_t layer, uint32_t steps)
{
    const size_t size = (size_t)rounded_up((uint64_t)steps * input_stride(reader, layer), OCR_LANES);
    return reader->numbers + (layer % 2 ? OCR_NUMBERS / OCR_LANES * OCR_LANES - size : reader->activations);
}

static void read_text(ocr_reader *reader)
{
    uint32_t before = 0;
    char *to = reader->text;
    for (uint32_t step = 0; step < reader->steps; step++) {
        const ocr_sum *const logits = ocr_logits(reader, step);
        uint32_t best = 0;
        for (uint32_t k = 1; k < reader->classes; k++)
            best = logits[k] > logits[best] ? k : best;
        if (best && best != before) {
            const uint8_t *character = reader->alphabet;
            for (uint32_t k = 1; k < best; k++)
                do
                    character++;
                while ((*character & 0xC0) == 0x80);
            do
                *to++ = (char)*character++;
            while (character < reader->alphabet_end && (*character & 0xC0) == 0x80);
            reader->ids[reader->count++] = (uint16_t)best;
        }
        before = best;
    }
    *to = 0;
}

ocr_error ocr_read(ocr_reader *reader, const uint8_t *image, uint32_t width)
{
    const uint32_t num_convolutions = reader->num_convolutions;
    uint32_t steps = width;
    reader->steps = reader->count = reader->num_logits = 0;
    reader->text[0] = 0;
    if (!reader->is_open)
        return OCR_NOT_OPEN;
    if (reader->width && width != reader->width)
        return OCR_WRONG_WIDTH;
    if (width > OCR_MAX_WIDTH)
        return OCR_TOO_WIDE;
    for (uint32_t i = 0; i < num_convolutions; i++)
        steps = steps_behind(&reader->convolutions[i], steps);
    if (!steps)
        return OCR_TOO_NARROW;

    steps = width;
    look_up(reader, image, steps, input_of(reader, 0, steps));
    for (uint32_t i = 0; i < num_convolutions; i++) {
        const ocr_convolution *const c = &reader->convolutions[i];
        const uint32_t out_steps = steps_behind(c, steps), margin = i + 1 < num_convolutions ? c[1].margin_rows : 0;
        int16_t *const out = input_of(reader, i + 1, out_steps);
        convolve(reader, c, input_of(reader, i, steps), steps, out, input_stride(reader, i + 1), margin);
        steps = out_steps;
    }
    for (uint32_t i = num_convolutions; i < num_convolutions + reader->num_layers; i++) {
        const ocr_direction *const d = &reader->directions[(i - num_convolutions) * reader->num_directions];
        const int16_t *const x = input_of(reader, i, steps);
        int16_t *const out = input_of(reader, i + 1, steps);
        const uint32_t stride = input_stride(reader, i + 1);
        const int is_added = reader->is_summed && !reader->is_doubled;
        memset(out, 0, sizeof *out * steps * stride);
        run_direction(reader, d, 0, 0, x, steps, out, stride);
        if (reader->num_directions == 2)
            run_direction(reader, d + 1, 1, is_added, x, steps, out + (is_added ? 0 : reader->hidden), stride);
    }
    reader->steps = steps;
    read_text(reader);
    return OCR_OK;
}

const ocr_sum *ocr_logits(ocr_reader *reader, uint32_t step)
{
    const uint32_t classes = reader->classes, rows = (uint32_t)rounded_up(classes, OCR_ROWS);
    if (step >= reader->steps)
        return NULL;
    if (step - reader->first_logits >= reader->num_logits) {
        const uint32_t part = least((uint32_t)(OCR_SUMS / rows), reader->steps - step);
        const int16_t *const x = input_of(reader, reader->num_convolutions + reader->num_layers, reader->steps);
        multiply_by(reader, &reader->classifier, x + (size_t)step * reader->classifier.stride, part, reader->sums);
        for (uint32_t i = 0; i < part; i++)
            for (uint32_t k = 0; k < classes; k++)
                reader->sums[(size_t)i * rows + k] =
                    reader->sums[(size_t)i * rows + k] * reader->left_classifier + reader->bias_classifier[k];
        reader->first_logits = step;
        reader->num_logits = part;
    }
    return reader->sums + (size_t)(step - reader->first_logits) * rows;
}

#define NEEDS(what) "the model needs " what " than this program was built for: raise "

const char *ocr_message(ocr_error error)
{
    static const char *const messages[] = {
        "no error",
        "no model of ours",
        "a model of another version than this program reads",
        "the model is cut off, or has bytes too many",
        "the model is damaged: its checksum is another",
        "the model is damaged: what it states can't be",
        NEEDS("greater sums") "OCR_SUM_BITS",
        NEEDS("wider images") "OCR_MAX_WIDTH",
        NEEDS("more convolutions") "OCR_CONVOLUTIONS",
        NEEDS("more LSTM layers") "OCR_DIRECTIONS",
        NEEDS("more time steps") "OCR_STEPS",
        NEEDS("longer texts") "OCR_TEXT_BYTES",
        NEEDS("larger tables") "OCR_TABLE",
        NEEDS("more weights") "OCR_WEIGHTS",
        NEEDS("more numbers") "OCR_NUMBERS",
        NEEDS("more sums") "OCR_SUMS",
        NEEDS("more constants") "OCR_CONSTANTS",
        "no model is open",
        "the image has not the width that the network reads",
        "the image is too narrow for the network",
        "the image is wider than OCR_MAX_WIDTH",
    };
    return (size_t)error < sizeof messages / sizeof *messages ? messages[error] : "unknown error";
}

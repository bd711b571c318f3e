/* Reads lines of text with a network in whole numbers: C99, no floating point, no heap, no recursion, no library.
 *
 *     #include "ocr_reader.h"                        // brings model.h, which sizes all memory
 *
 *     static ocr_reader reader;                      // all memory is in here: too much for a stack
 *
 *     ocr_error error = ocr_open(&reader, ocr_model, ocr_model_size);
 *     if (!error)
 *         error = ocr_read(&reader, image, width);   // image: (reader.height, width) grey values, row by row
 *     puts(error ? ocr_message(error) : reader.text);
 *
 * The images are prepared ones: as high as the network wants them, dark on light, 0 black and 255 white. Nothing is
 * shared between readers, so each thread may have one. The model's bytes must stay where they are. So must a reader,
 * which points into itself. Texts are the characters one behind the other, not brought to Unicode's form NFC.
 *
 * A model is a file of bytes, README.md tells its format. It is checked from end to end when it is opened, so whatever
 * the bytes, nothing outside of a reader and of the model is read, and nothing outside of the reader is written.
 */
#ifndef OCR_READER_H
#define OCR_READER_H

#include <stddef.h>
#include <stdint.h>

#include "model.h"

/* Memory. model.h states what its network needs; greater numbers leave room for others.
 *
 * OCR_SUM_BITS      32 or 64: the type of sums. With 64 every model can be read, with 32 it is faster.
 * OCR_MAX_WIDTH     most columns of an image
 * OCR_CONVOLUTIONS  most convolutions
 * OCR_DIRECTIONS    most LSTM layers, where each direction counts
 * OCR_STEPS         most time steps of the output
 * OCR_TEXT_BYTES    longest text, with the 0 behind it
 * OCR_TABLE         entries of the sigmoid's table and of tanh's
 * OCR_WEIGHTS       unpacked weights, 16 bits each. Where all fit they are unpacked once; fewer are unpacked part by
 *                   part as they are needed, image by image
 * OCR_NUMBERS       what layers give and take, 16 bits each
 * OCR_SUMS          sums; more than are needed at least let more time steps be computed at once
 * OCR_CONSTANTS     biases and scales, each as large as a sum
 */

#if OCR_SUM_BITS == 32
typedef int32_t ocr_sum;
#define OCR_SUM_MAX INT32_MAX
#elif OCR_SUM_BITS == 64
typedef int64_t ocr_sum;
#define OCR_SUM_MAX ((int64_t)1 << 62)
#else
#error "OCR_SUM_BITS is 32 or 64"
#endif

/* There is room for rows of weights, and what they are multiplied by, that are padded to a multiple of OCR_LANES, whole
 * vectors of a desktop's processor; matrices are padded to a multiple of OCR_ROWS rows. */
#define OCR_LANES 16u
#define OCR_ROWS 8u

/* 0 is success; ocr_message tells each of the others in words. */
typedef enum {
    OCR_OK,
    OCR_NO_MODEL,
    OCR_OTHER_VERSION,
    OCR_CUT_OFF,
    OCR_CHECKSUM,
    OCR_DAMAGED,
    OCR_NEEDS_SUM_BITS,
    OCR_NEEDS_WIDTH,
    OCR_NEEDS_CONVOLUTIONS,
    OCR_NEEDS_DIRECTIONS,
    OCR_NEEDS_STEPS,
    OCR_NEEDS_TEXT_BYTES,
    OCR_NEEDS_TABLE,
    OCR_NEEDS_WEIGHTS,
    OCR_NEEDS_NUMBERS,
    OCR_NEEDS_SUMS,
    OCR_NEEDS_CONSTANTS,
    OCR_NOT_OPEN,
    OCR_WRONG_WIDTH,
    OCR_TOO_NARROW,
    OCR_TOO_WIDE
} ocr_error;

/* Weights (rows, columns), packed. Unpacked they are (rows rounded up to 4, stride), with zeros around them. */
typedef struct {
    const uint8_t *packed;
    uint32_t rows, columns, bits;
    uint32_t copies; /* of each row, one behind the other */
    uint32_t stride;
    size_t place; /* in `weights`, where all are unpacked */
} ocr_matrix;

/* A whole number x becomes (x * multiplier + half) >> right, cut off below `low` and above `high`. Where x is a sum of
 * products, its factors and biases are multiplied beforehand, and biases have the half. */
typedef struct {
    ocr_sum multiplier, half;
    ocr_sum low, high;
    unsigned right;
} ocr_scale;

typedef struct {
    ocr_matrix weights;
    uint32_t channels, filters, kernel_steps, kernel_rows, margin_steps, margin_rows, pool_steps, pool_rows;
    uint32_t rows;      /* of its input */
    uint32_t out_rows;  /* behind the pooling */
    ocr_sum high;       /* the largest number it gives */
    ocr_sum *constants; /* (3, filters rounded up to OCR_ROWS): a sum times the first, plus the second, >> the third */
} ocr_convolution;

typedef struct {
    ocr_matrix of_input, of_hidden; /* (4 H, features) and (4 H, H), gates i, f, c, o */
    ocr_sum left_input[4], left_hidden[4]; /* what sums of each gate are multiplied by */
    ocr_scale index[4], cell, cell_index;
    ocr_sum left_new, left_kept;
    ocr_sum *bias; /* (4 H) */
} ocr_direction;

typedef struct {
    /* The reader's own, first so that vectors are whole lines of a cache. */
    int16_t weights[OCR_WEIGHTS];
    int16_t numbers[OCR_NUMBERS];
    ocr_sum sums[OCR_SUMS];
    ocr_sum constants[OCR_CONSTANTS];

    /* What a caller may read: of the model, once it is open; */
    uint32_t height, width; /* of images; a width of 0 is any */
    uint32_t classes;       /* C; class 0 is CTC's blank */
    int32_t exponent;       /* logits are whole numbers times 2^exponent */
    /* of the last image. */
    uint32_t steps; /* T' */
    uint32_t count; /* of characters */
    uint16_t ids[OCR_STEPS]; /* (count), their classes */
    char text[OCR_TEXT_BYTES]; /* UTF-8, with a 0 behind it */

    /* The rest is the reader's own. */
    uint32_t is_open, is_resident, is_summed, is_doubled;
    uint32_t num_convolutions, num_layers, num_directions, hidden, table_bits;
    const uint8_t *alphabet, *alphabet_end;
    uint32_t longest; /* character, in bytes */
    ocr_convolution convolutions[OCR_CONVOLUTIONS];
    ocr_direction directions[OCR_DIRECTIONS];
    ocr_scale hidden_scale;
    ocr_matrix classifier;
    ocr_sum left_classifier, *bias_classifier;
    uint32_t activations; /* where they begin in `numbers`: before them are what kernels see, and states */
    uint32_t first_logits, num_logits; /* the time steps whose logits are in `sums` */
    uint64_t weights_used;
    size_t constants_used;
    int16_t grey[256], sigmoid[OCR_TABLE], tanh[OCR_TABLE];
} ocr_reader;

/* Opens a model, which any reader may be used for, again and again. */
ocr_error ocr_open(ocr_reader *reader, const uint8_t *model, size_t size);

/* Reads an image, (reader->height, width), greedily: the best class of each time step, repeats and blanks dropped. */
ocr_error ocr_read(ocr_reader *reader, const uint8_t *image, uint32_t width);

/* Returns the logits (C) of a time step of the last image, good until the next call; NULL if there is no such step. */
const ocr_sum *ocr_logits(ocr_reader *reader, uint32_t step);

/* Returns an error in words, in one line. */
const char *ocr_message(ocr_error error);

/* Goes on with a CRC-32 (that of zip and PNG), which begins at 0. */
uint32_t ocr_crc32(uint32_t crc, const uint8_t *bytes, size_t size);

#endif

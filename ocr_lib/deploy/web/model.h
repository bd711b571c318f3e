/* Room for any network of a few million weights, and for lines as long as the Python package reads: browsers make memory
 * of what is touched only. ocr_reader.h tells what the macros mean; the page brings the model. */
#ifndef OCR_MODEL_H
#define OCR_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define OCR_MODEL_BYTES 8388608u
#define OCR_MAX_WIDTH 8192
#define OCR_MAX_HEIGHT 256
#define OCR_CONVOLUTIONS 16
#define OCR_DIRECTIONS 16
#define OCR_STEPS 8192
#define OCR_TEXT_BYTES 32769
#define OCR_TABLE 4096
#define OCR_WEIGHTS 4194304
#define OCR_NUMBERS 4194304
#define OCR_SUMS 262144
#define OCR_CONSTANTS 131072

#endif

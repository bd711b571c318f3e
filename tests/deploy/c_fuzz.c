/* Fuzzes ocr_lib/deploy/c/ocr_reader.c: opens bytes as a model, and reads an image of noise with what is opened.
 *
 * In an exported folder, with the macros small so that each limit is met:
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -DOCR_SUM_BITS=32 \
 *         -DOCR_MAX_WIDTH=40 -DOCR_CONVOLUTIONS=3 -DOCR_DIRECTIONS=4 -DOCR_STEPS=40 -DOCR_TEXT_BYTES=100 \
 *         -DOCR_TABLE=512 -DOCR_WEIGHTS=1000 -DOCR_NUMBERS=3000 -DOCR_SUMS=600 -DOCR_CONSTANTS=500 \
 *         -o fuzz PATH/tests/deploy/c_fuzz.c ocr_reader.c
 *     ./fuzz -max_len=4000 -max_total_time=1200 corpus
 *
 * where corpus holds some models; the size and the checksum are put right here, or no input would go further than them.
 */
#include "ocr_reader.h"

#include <stdlib.h>
#include <string.h>

static ocr_reader reader;

static void put(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 17)
        return ocr_open(&reader, data, size) == OCR_OK;
    /* Exact sizes on the heap, so that a byte too far is seen. */
    uint8_t *const model = malloc(size - 1);
    memcpy(model, data + 1, size - 1);
    put(model + 8, (uint32_t)(size - 1));
    put(model + 12, ocr_crc32(0, model + 16, size - 17));
    if (ocr_open(&reader, model, size - 1) == OCR_OK) {
        const uint32_t width = reader.width ? reader.width : data[0] % (OCR_MAX_WIDTH + 2);
        const size_t pixels = (size_t)width * reader.height;
        uint8_t *const image = malloc(pixels + !pixels);
        for (size_t i = 0; i < pixels; i++)
            image[i] = (uint8_t)(i * i * 7 + data[size - 1 - i % size]);
        if (ocr_read(&reader, image, width) == OCR_OK)
            for (uint32_t step = reader.steps; step-- > 0;)
                if (!ocr_logits(&reader, step) || strlen(reader.text) < reader.count)
                    abort();
        free(image);
    }
    free(model);
    return 0;
}

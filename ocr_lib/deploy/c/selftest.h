/* What a self-test compares: a reader's texts and logits with those of golden.h. */
#ifndef OCR_SELFTEST_H
#define OCR_SELFTEST_H

#include "ocr_reader.h"

#include <string.h>

#include "golden.h"

/* Returns the checksum of all logits (T', C), as 8 bytes each, the lowest first. */
static uint32_t checksum_of_logits(ocr_reader *reader)
{
    uint32_t crc = 0;
    for (uint32_t step = 0; step < reader->steps; step++) {
        const ocr_sum *const logits = ocr_logits(reader, step);
        for (uint32_t k = 0; k < reader->classes; k++) {
            uint8_t bytes[8];
            for (int i = 0; i < 8; i++)
                bytes[i] = (uint8_t)((uint64_t)(int64_t)logits[k] >> 8 * i);
            crc = ocr_crc32(crc, bytes, sizeof bytes);
        }
    }
    return crc;
}

/* Whether a reader has the text, and the logits, that it should have read of the i-th image. */
static int has_text(const ocr_reader *reader, size_t i)
{
    return strcmp(reader->text, golden[i].text) == 0;
}

static int has_logits(ocr_reader *reader, size_t i)
{
    return checksum_of_logits(reader) == golden[i].checksum;
}

#endif

/* Reads the images of golden.h, and compares texts and logits with those of the network's definition. */
#include "ocr_reader.h"

#include <stdio.h>
#include <string.h>

#include "golden.h"

static ocr_reader reader;

/* Returns the checksum of all logits (T', C), as 8 bytes each, the lowest first. */
static uint32_t checksum_of_logits(void)
{
    uint32_t crc = 0;
    for (uint32_t step = 0; step < reader.steps; step++) {
        const ocr_sum *const logits = ocr_logits(&reader, step);
        for (uint32_t k = 0; k < reader.classes; k++) {
            uint8_t bytes[8];
            for (int i = 0; i < 8; i++)
                bytes[i] = (uint8_t)((uint64_t)(int64_t)logits[k] >> 8 * i);
            crc = ocr_crc32(crc, bytes, sizeof bytes);
        }
    }
    return crc;
}

int main(void)
{
    const size_t count = sizeof golden / sizeof *golden;
    size_t failed = ocr_open(&reader, ocr_model, ocr_model_size - 1) != OCR_CUT_OFF;
    if (failed)
        printf("a model that is cut off was not refused\n");
    const ocr_error error = ocr_open(&reader, ocr_model, ocr_model_size);
    if (error) {
        printf("the model: %s\n", ocr_message(error));
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        const ocr_error unread = ocr_read(&reader, golden[i].image, golden[i].width);
        const int is_text = !unread && strcmp(reader.text, golden[i].text) == 0;
        const int is_same = is_text && checksum_of_logits() == golden[i].checksum;
        if (!is_same) {
            const char *const what = is_text ? "other logits" : "another text";
            printf("image %u: %s\n", (unsigned)i, unread ? ocr_message(unread) : what);
            failed++;
        }
    }
    printf("%u images, %u failed\n", (unsigned)count, (unsigned)failed);
    return failed > 0;
}

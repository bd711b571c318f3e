/* Reads the images of golden.h, and compares texts and logits with those of the network's definition. */
#include "selftest.h"

#include <stdio.h>

static ocr_reader reader;

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
        const int is_text = !unread && has_text(&reader, i);
        const int is_same = is_text && has_logits(&reader, i);
        if (!is_same) {
            const char *const what = is_text ? "other logits" : "another text";
            printf("image %u: %s\n", (unsigned)i, unread ? ocr_message(unread) : what);
            failed++;
        }
    }
    printf("%u images, %u failed\n", (unsigned)count, (unsigned)failed);
    return failed > 0;
}

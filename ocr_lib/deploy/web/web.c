/* The engine of ocr_reader.h for browsers: one reader, and what JavaScript calls. */
#include "ocr_reader.h"

#include <string.h>

#define EXPORTED(name) __attribute__((export_name(name)))

static ocr_reader reader;
static uint8_t model[OCR_MODEL_BYTES];
static uint8_t image[(size_t)OCR_MAX_WIDTH * OCR_MAX_HEIGHT];

/* Where the bytes of a model and the pixels of an image are to be put. */
EXPORTED("model") uint8_t *web_model(void) { return model; }
EXPORTED("image") uint8_t *web_image(void) { return image; }

EXPORTED("open") ocr_error web_open(uint32_t size)
{
    const ocr_error error = ocr_open(&reader, model, size);
    return !error && reader.height > OCR_MAX_HEIGHT ? OCR_DAMAGED : error;
}

EXPORTED("read") ocr_error web_read(uint32_t width) { return ocr_read(&reader, image, width); }

/* Of the last image. Logits (classes) are sums, of 32 or 64 bits, times 2^exponent. */
EXPORTED("steps") uint32_t web_steps(void) { return reader.steps; }
EXPORTED("classes") uint32_t web_classes(void) { return reader.classes; }
EXPORTED("exponent") int32_t web_exponent(void) { return reader.exponent; }
EXPORTED("logits") const ocr_sum *web_logits(uint32_t step) { return ocr_logits(&reader, step); }

EXPORTED("message") const char *web_message(ocr_error error) { return ocr_message(error); }

/* One instruction of WebAssembly. */
void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

int memcmp(const void *one, const void *other, size_t size)
{
    const uint8_t *const a = one, *const b = other;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

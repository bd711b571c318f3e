/* What ocr_reader.c takes of the C library, which a browser has none of; web.c has it. */
#ifndef OCR_WEB_STRING_H
#define OCR_WEB_STRING_H

#include <stddef.h>

void *memset(void *to, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);

#endif

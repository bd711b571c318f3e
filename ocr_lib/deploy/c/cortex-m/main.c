/* The self-test for a small processor: prints the text of each image of golden.h, or what went wrong.
 * Between two images SysTick counts: with QEMU's -icount shift=0 a tick is a fixed number of instructions. */
#include "ocr_reader.h"

#include <string.h>

#include "golden.h"

#define SYSTICK ((volatile uint32_t *)0xE000E010u)

void write_text(const char *text);

static ocr_reader reader;

static void write_number(uint32_t number)
{
    char digits[12];
    char *to = digits + sizeof digits;
    *--to = 0;
    do
        *--to = (char)('0' + number % 10);
    while (number /= 10);
    write_text(to);
}

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
    int failed = 0;
    const ocr_error error = ocr_open(&reader, ocr_model, ocr_model_size);
    SYSTICK[1] = 0xFFFFFFu;
    SYSTICK[0] = 5; /* counts the processor's clock down, without interrupts */
    for (size_t i = 0; !error && i < sizeof golden / sizeof *golden; i++) {
        SYSTICK[2] = 0;
        const ocr_error unread = ocr_read(&reader, golden[i].image, golden[i].width);
        const uint32_t ticks = 0xFFFFFFu - SYSTICK[2];
        const int is_text = !unread && strcmp(reader.text, golden[i].text) == 0;
        const int is_same = is_text && checksum_of_logits() == golden[i].checksum;
        write_text(unread ? ocr_message(unread) : reader.text);
        write_text(is_same ? " as on the desktop, " : " IS ANOTHER READING, ");
        write_number(ticks);
        write_text(" ticks\n");
        failed |= !is_same;
    }
    if (error)
        write_text(ocr_message(error));
    return error || failed;
}

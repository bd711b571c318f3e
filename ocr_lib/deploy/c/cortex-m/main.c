/* The self-test for a small processor: prints the text of each image of golden.h, or what went wrong.
 * Between two images SysTick counts: with QEMU's -icount shift=0 a tick is a fixed number of instructions. */
#include "selftest.h"

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
        const int is_same = !unread && has_text(&reader, i) && has_logits(&reader, i);
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

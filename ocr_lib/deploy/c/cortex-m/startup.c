/* Starts a program on a Cortex-M33 (machine mps2-an505 of QEMU), and writes text through semihosting. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t data_begin, data_end, data_in_flash, bss_begin, bss_end, stack_end;
int main(void);
void reset(void);

/* Asks the debugger, or QEMU, for something: 4 writes a text, 0x20 ends the program. */
static int semihost(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void write_text(const char *text) { semihost(4, text); }

static void leave(uint32_t status)
{
    const uint32_t block[2] = {0x20026u, status}; /* an application's exit */
    semihost(0x20, block);
    for (;;) {
    }
}

void reset(void)
{
    const uint32_t *from = &data_in_flash;
    for (uint32_t *to = &data_begin; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_begin; to < &bss_end;)
        *to++ = 0;
    leave((uint32_t)main());
}

static void fault(void) { leave(99); }

/* The stack's end, then what is called on reset and on the first faults. */
typedef union {
    uint32_t *stack;
    void (*call)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    {&stack_end}, {.call = reset}, {.call = fault}, {.call = fault}, {.call = fault}, {.call = fault}, {.call = fault},
};

/* Reads PGM images: ocr_reader [-m MODEL] [--logits] IMAGE.pgm... */
#include "ocr_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest file that -m takes. */
#ifndef OCR_MODEL_BYTES
#define OCR_MODEL_BYTES (1u << 22)
#endif

enum { SUCCESS, IMAGE_FAILED, USAGE };

static ocr_reader reader;
static uint8_t model_file[OCR_MODEL_BYTES + 1];
static uint8_t image[(size_t)OCR_MAX_WIDTH * OCR_MAX_HEIGHT];

/* Returns the next number of a PGM file's text, or -1; behind # is a comment. */
static long next_number(FILE *file)
{
    int c = getc(file);
    long number = 0;
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#') {
        while (c == '#' || (c != '\n' && c != EOF && c != ' ' && c != '\t' && c != '\r'))
            do
                c = getc(file);
            while (c != '\n' && c != '\r' && c != EOF);
        c = getc(file);
    }
    if (c < '0' || c > '9')
        return -1;
    for (; c >= '0' && c <= '9'; c = getc(file))
        number = number < 100000 ? 10 * number + (c - '0') : number;
    if (c == '#')
        ungetc(c, file);
    else if (c != EOF && c != ' ' && c != '\t' && c != '\n' && c != '\r')
        return -1;
    return number;
}

/* Sets the image (height, *width) to that of a file; returns what is wrong with it, or NULL. */
static const char *read_pgm(FILE *file, uint32_t *width)
{
    static char message[200];
    const int magic = getc(file) == 'P' ? getc(file) : 0;
    if (magic != '5' && magic != '2')
        return "no grey PGM image (P5 or P2)";
    const long columns = next_number(file), rows = next_number(file), most = next_number(file);
    if (columns < 1 || rows < 1 || most < 1)
        return "no PGM image, or damaged";
    if (most > 255)
        return "a PGM image of more than 8 bits";
    if (rows != (long)reader.height || (reader.width ? columns != (long)reader.width : columns > OCR_MAX_WIDTH)) {
        const unsigned long height = reader.height, wide = reader.width ? reader.width : OCR_MAX_WIDTH;
        sprintf(message, "%ld by %ld pixels, but the network reads %s%lu by %lu", columns, rows,
                reader.width ? "" : "up to ", wide, height);
        return message;
    }
    for (long i = 0; i < rows * columns; i++) {
        const long grey = magic == '5' ? getc(file) : next_number(file);
        if (grey < 0 || grey > most)
            return grey < 0 && feof(file) ? "cut off" : "no PGM image, or damaged";
        image[i] = (uint8_t)((grey * 255 + most / 2) / most);
    }
    *width = (uint32_t)columns;
    return NULL;
}

static const char *read_image(const char *path, uint32_t *width)
{
    FILE *const file = fopen(path, "rb");
    if (!file)
        return "can't be opened";
    const char *const error = read_pgm(file, width);
    fclose(file);
    return error;
}

static ocr_error open_file(const char *path)
{
    FILE *const file = fopen(path, "rb");
    const size_t size = file ? fread(model_file, 1, sizeof model_file, file) : 0;
    if (!file) {
        fprintf(stderr, "ocr_reader: error: %s: can't be opened\n", path);
        exit(USAGE);
    }
    fclose(file);
    if (size > OCR_MODEL_BYTES) {
        fprintf(stderr, "ocr_reader: error: %s: more than %lu bytes: raise OCR_MODEL_BYTES\n", path,
                (unsigned long)OCR_MODEL_BYTES);
        exit(USAGE);
    }
    return ocr_open(&reader, model_file, size);
}

static void print_logits(void)
{
    for (uint32_t step = 0; step < reader.steps; step++) {
        const ocr_sum *const logits = ocr_logits(&reader, step);
        for (uint32_t k = 0; k < reader.classes; k++)
            printf(k ? " %lld" : "%lld", (long long)logits[k]);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    int with_logits = 0, first = 1, failed = 0;
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "--logits") == 0)
            with_logits = 1;
        else if (strcmp(argv[first], "-m") == 0 && first + 1 < argc)
            model = argv[++first];
        else
            break;
    }
    if (first == argc || argv[first][0] == '-') {
        fprintf(stderr, "usage: ocr_reader [-m MODEL] [--logits] IMAGE.pgm...\n");
        return USAGE;
    }
    const ocr_error error = model ? open_file(model) : ocr_open(&reader, ocr_model, ocr_model_size);
    if (error) {
        fprintf(stderr, "ocr_reader: error: %s: %s\n", model ? model : "the model", ocr_message(error));
        return USAGE;
    }
    for (int i = first; i < argc; i++) {
        uint32_t width = 0;
        const char *wrong = read_image(argv[i], &width);
        const ocr_error unread = wrong ? OCR_OK : ocr_read(&reader, image, width);
        wrong = unread ? ocr_message(unread) : wrong;
        if (wrong) {
            fprintf(stderr, "ocr_reader: error: %s: %s\n", argv[i], wrong);
            failed = 1;
            continue;
        }
        printf(argc - first > 1 ? "%s: %s\n" : "%.0s%s\n", argv[i], reader.text);
        if (with_logits)
            print_logits();
    }
    return failed ? IMAGE_FAILED : SUCCESS;
}

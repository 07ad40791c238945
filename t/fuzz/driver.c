
/*
 * Runs a fuzz target without libFuzzer, as a test like any other: the inputs
 * of its corpus as they are, then a number of mutations of them, the same
 * ones each time.
 *
 *     NAME [-n MUTATIONS] [FILE|DIRECTORY ..]
 *
 * The corpus is t/fuzz/corpus/NAME where none is given.  An input that makes
 * the target stop is written beside the program, as NAME.crash.
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define DRIVER_LEN_MAX   65536  /* of an input; mutations: a sixteenth */
#define DRIVER_INPUTS    1024
#define DRIVER_WORDS     512
#define DRIVER_SECONDS   30     /* for one input, under a busy machine */


typedef struct {
    char            name[256];
    unsigned char  *data;
    size_t          len;
} driver_input_t;


typedef struct {
    unsigned char   data[64];
    size_t          len;
} driver_word_t;


extern const unsigned long  fuzz_mutations;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* of all sanitizers; calls it before the process ends by their hand */
void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));


static driver_input_t   driver_inputs[DRIVER_INPUTS];
static size_t           driver_ninputs;
static driver_word_t    driver_words[DRIVER_WORDS];
static size_t           driver_nwords;

/* what runs just now */
static const unsigned char  *driver_data;
static size_t                driver_len;
static char                  driver_crash[4096];

static uint64_t  driver_seed = 0x9e3779b97f4a7c15ULL;


/* only what a handler of signals may do */

static void
driver_died(void)
{
    int  fd;

    static const char  text[] = "\n# the input is in ";

    if (driver_data == NULL) {
        return;
    }

    fd = open(driver_crash, O_WRONLY|O_CREAT|O_TRUNC, 0644);

    if (fd == -1
        || write(fd, driver_data, driver_len) != (ssize_t) driver_len)
    {
        return;
    }

    (void) close(fd);

    if (write(2, text, sizeof(text) - 1) > 0
        && write(2, driver_crash, strlen(driver_crash)) > 0
        && write(2, "\n", 1) > 0)
    {
        driver_data = NULL;
    }
}


static void
driver_signal(int signo)
{
    static const char  text[] = "\n# an input took too long\n";

    if (signo == SIGALRM && write(2, text, sizeof(text) - 1) < 0) {
        _exit(3);
    }

    driver_died();

    (void) signal(signo, SIG_DFL);
    (void) raise(signo);
}


static void
driver_run(const unsigned char *data, size_t len)
{
    unsigned char  *copy;

    /* of exactly its length, so that a sanitizer sees both its ends */

    copy = malloc(len);

    if (copy == NULL && len) {
        abort();
    }

    if (len) {
        memcpy(copy, data, len);
    }

    driver_data = data;
    driver_len = len;

    (void) alarm(DRIVER_SECONDS);
    (void) LLVMFuzzerTestOneInput(copy, len);
    (void) alarm(0);

    driver_data = NULL;

    free(copy);
}


/* xorshift64* */

static size_t
driver_random(size_t below)
{
    driver_seed ^= driver_seed >> 12;
    driver_seed ^= driver_seed << 25;
    driver_seed ^= driver_seed >> 27;

    return below ? (driver_seed * 0x2545f4914f6cdd1dULL >> 32) % below : 0;
}


static void
driver_add(const char *path, const char *name)
{
    FILE            *f;
    driver_input_t  *input;

    if (driver_ninputs == DRIVER_INPUTS) {
        (void) fprintf(stderr, "# more than %d inputs\n", DRIVER_INPUTS);
        exit(2);
    }

    f = fopen(path, "rb");
    if (f == NULL) {
        (void) fprintf(stderr, "# %s: %s\n", path, strerror(errno));
        exit(2);
    }

    input = &driver_inputs[driver_ninputs++];

    (void) snprintf(input->name, sizeof(input->name), "%s", name);

    input->data = malloc(DRIVER_LEN_MAX);
    if (input->data == NULL) {
        abort();
    }

    input->len = fread(input->data, 1, DRIVER_LEN_MAX, f);

    (void) fclose(f);
}


static int
driver_by_name(const void *one, const void *two)
{
    return strcmp(((const driver_input_t *) one)->name,
                  ((const driver_input_t *) two)->name);
}


static void
driver_load(const char *path)
{
    DIR            *dir;
    char            file[4096];
    struct stat     st;
    struct dirent  *entry;

    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        driver_add(path, path);
        return;
    }

    dir = opendir(path);
    if (dir == NULL) {
        (void) fprintf(stderr, "# %s: %s\n", path, strerror(errno));
        exit(2);
    }

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void) snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
            driver_add(file, entry->d_name);
        }
    }

    (void) closedir(dir);

    qsort(driver_inputs, driver_ninputs, sizeof(driver_input_t),
          driver_by_name);
}


/* lines of "name="text"", with \\, \" and \xNN */

static void
driver_dictionary(const char *path)
{
    FILE           *f;
    char            line[512], *p;
    unsigned        byte;
    driver_word_t  *word;

    f = fopen(path, "r");
    if (f == NULL) {
        return;
    }

    while (driver_nwords < DRIVER_WORDS && fgets(line, sizeof(line), f)) {

        p = strchr(line, '"');

        if (line[0] == '#' || p == NULL) {
            continue;
        }

        word = &driver_words[driver_nwords++];

        for (p++; *p && *p != '"' && word->len < sizeof(word->data); p++) {

            if (p[0] == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte)) {
                word->data[word->len++] = (unsigned char) byte;
                p += 3;
                continue;
            }

            if (p[0] == '\\' && p[1]) {
                p++;
            }

            word->data[word->len++] = (unsigned char) *p;
        }
    }

    (void) fclose(f);
}


/* replaces "cut" bytes at a place by others; the new length */

static size_t
driver_splice(unsigned char *buf, size_t len, size_t at, size_t cut,
    const unsigned char *in, size_t n)
{
    if (cut > len - at) {
        cut = len - at;
    }

    if (len - cut + n > DRIVER_LEN_MAX / 16) {
        return len;
    }

    memmove(buf + at + n, buf + at + cut, len - at - cut);
    memcpy(buf + at, in, n);

    return len - cut + n;
}


static size_t
driver_mutate(unsigned char *buf, size_t len)
{
    size_t           at, n, from;
    unsigned char    bytes[64];
    driver_word_t   *word;
    driver_input_t  *other;

    at = driver_random(len + 1);

    switch (driver_random(8)) {

    case 0: /* a bit */
        if (at < len) {
            buf[at] ^= (unsigned char) (1 << driver_random(8));
        }

        return len;

    case 1: /* a byte, mostly one that is near or special */
        if (at < len) {
            buf[at] = "\0\xff\x80\"\\{}[],:=&<>/*~ "[driver_random(19)];
        }

        return len;

    case 2: /* some bytes go */
        return driver_splice(buf, len, at, 1 + driver_random(8), bytes, 0);

    case 3: /* many go */
        return driver_splice(buf, len, at, driver_random(len + 1), bytes, 0);

    case 4: /* some come */
        n = 1 + driver_random(4);

        for (from = 0; from < n; from++) {
            bytes[from] = (unsigned char) driver_random(256);
        }

        return driver_splice(buf, len, at, driver_random(2) * n, bytes, n);

    case 5: /* what stands elsewhere in it */
        from = driver_random(len + 1);
        n = driver_random(sizeof(bytes));
        n = (n > len - from) ? len - from : n;

        memcpy(bytes, buf + from, n);

        return driver_splice(buf, len, at, driver_random(2) * n, bytes, n);

    case 6: /* a piece of another */
        other = &driver_inputs[driver_random(driver_ninputs)];
        from = driver_random(other->len + 1);
        n = driver_random(other->len - from + 1);

        return driver_splice(buf, len, at, driver_random(len + 1),
                             other->data + from, n);

    default: /* a word */
        if (driver_nwords == 0) {
            return len;
        }

        word = &driver_words[driver_random(driver_nwords)];

        return driver_splice(buf, len, at, driver_random(2) * word->len,
                             word->data, word->len);
    }
}


static void
driver_mutations(unsigned long n)
{
    size_t           len, times;
    unsigned long    i;
    unsigned char   *buf;
    driver_input_t  *input;

    buf = malloc(DRIVER_LEN_MAX);
    if (buf == NULL) {
        abort();
    }

    for (i = 0; i < n; i++) {
        input = &driver_inputs[i % driver_ninputs];

        len = (input->len < DRIVER_LEN_MAX / 16) ? input->len
                                                 : DRIVER_LEN_MAX / 16;
        memcpy(buf, input->data, len);

        for (times = 1 + driver_random(4); times; times--) {
            len = driver_mutate(buf, len);
        }

        driver_run(buf, len);
    }

    free(buf);
}


int
main(int argc, char **argv)
{
    int             i;
    char            path[4096];
    size_t          n;
    const char     *name;
    unsigned long   mutations;

    name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];

    (void) snprintf(driver_crash, sizeof(driver_crash), "%s.crash", argv[0]);

    mutations = fuzz_mutations;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            mutations = strtoul(argv[++i], NULL, 10);
            continue;
        }

        driver_load(argv[i]);
    }

    if (driver_ninputs == 0) {
        (void) snprintf(path, sizeof(path), "t/fuzz/corpus/%s", name);
        driver_load(path);
    }

    driver_dictionary("t/fuzz/envelope.dict");

    /* of an earlier run; it has been read if it is what to run */
    (void) unlink(driver_crash);

    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(driver_died);
    }

    (void) signal(SIGABRT, driver_signal);
    (void) signal(SIGALRM, driver_signal);

    (void) LLVMFuzzerInitialize(&argc, &argv);

    driver_run(NULL, 0);

    (void) printf("ok 1 - an empty input\n");

    for (n = 0; n < driver_ninputs; n++) {
        driver_run(driver_inputs[n].data, driver_inputs[n].len);
        (void) printf("ok %lu - %s\n", (unsigned long) n + 2,
                      driver_inputs[n].name);
        (void) fflush(stdout);
    }

    driver_mutations(driver_ninputs ? mutations : 0);

    (void) printf("ok %lu - %lu mutations of them\n", (unsigned long) n + 2,
                  mutations);
    (void) printf("1..%lu\n", (unsigned long) n + 2);
    (void) fflush(stdout);

    for (n = 0; n < driver_ninputs; n++) {
        free(driver_inputs[n].data);
    }

    return 0;
}

/* A plugin of QEMU's software emulation that counts what a guest executes.
 *
 * For every piece of guest code that was translated, it writes one line at the end: address, instructions, executions and
 * translations. With `ask=FIFO` it does so too whenever it reads a line there, which names the file. `cargo xtask bench` builds it, runs
 * it and adds names. Debian does not package qemu-plugin.h; what is used of
 * that interface (version 1, "QEMU TCG Plugins" in QEMU's manual) is declared here. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
EXPORT int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *counter, uint64_t immediate);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

enum { ADD_U64 = 0, SLOTS = 1 << 21 };

/* The emulation adds to `executions` by itself, without a lock: with several CPUs a few are lost. */
struct block {
    uint64_t address, instructions, executions, translations;
};

static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char path[4096], ask[4096];

/* Open addressing. The table has room for many times the code of a boot; a full one is an error. */
static struct block *find(uint64_t address, uint64_t instructions)
{
    uint64_t slot = (address * 0x9e3779b97f4a7c15u ^ instructions) >> 30;
    for (uint64_t i = 0; i < SLOTS; i++) {
        struct block *block = &blocks[(slot + i) % SLOTS];
        if (!block->translations || (block->address == address && block->instructions == instructions)) return block;
    }
    fprintf(stderr, "profile: more code than the plugin has room for\n");
    exit(1);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb), instructions = qemu_plugin_tb_n_insns(tb);
    (void)id;
    pthread_mutex_lock(&lock);
    struct block *block = find(address, instructions);
    block->address = address;
    block->instructions = instructions;
    block->translations++;
    pthread_mutex_unlock(&lock);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &block->executions, 1);
}

/* Under another name until all of it is there. */
static void tell(const char *name)
{
    char half[sizeof path + 8];
    snprintf(half, sizeof half, "%s.half", name);
    FILE *out = fopen(half, "w");
    if (!out) {
        perror(half);
        return;
    }
    pthread_mutex_lock(&lock);
    for (struct block *block = blocks; block < blocks + SLOTS; block++)
        if (block->translations)
            fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", block->address, block->instructions,
                    block->executions, block->translations);
    pthread_mutex_unlock(&lock);
    fclose(out);
    if (rename(half, name)) perror(name);
}

static void ended(plugin_id id, void *data)
{
    (void)id, (void)data;
    tell(path);
}

static void *listen(void *unused)
{
    char line[sizeof path];
    /* For writing too, so that it never ends. */
    FILE *asked = fopen(ask, "r+");
    if (!asked) perror(ask);
    while (asked && fgets(line, sizeof line, asked)) {
        line[strcspn(line, "\n")] = 0;
        tell(line);
    }
    return unused;
}

/* The value of an argument NAME=VALUE; its name has four characters with the sign. */
static int take(const char *argument, const char *name, char *value)
{
    if (strncmp(argument, name, 4) || strlen(argument) >= sizeof path) return 0;
    strcpy(value, argument + 4);
    return 1;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    pthread_t listener;
    if (argc < 1 || !take(argv[0], "out=", path)) return -1;
    if (argc > 1 && !take(argv[1], "ask=", ask)) return -1;
    blocks = calloc(SLOTS, sizeof *blocks);
    if (!blocks) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return *ask && pthread_create(&listener, 0, listen, 0) ? -1 : 0;
}

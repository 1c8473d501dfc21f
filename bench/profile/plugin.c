/* A plugin of QEMU's software emulation that counts what a guest executes.
 *
 * For every piece of guest code that was translated, it writes one line at the end: address, instructions, executions and
 * translations. `cargo xtask bench profile` builds it, runs it and adds names. Debian does not package qemu-plugin.h; what is used of
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
static char path[4096];

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

static void ended(plugin_id id, void *data)
{
    (void)id, (void)data;
    FILE *out = fopen(path, "w");
    if (!out) {
        perror(path);
        return;
    }
    for (struct block *block = blocks; block < blocks + SLOTS; block++)
        if (block->translations)
            fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", block->address, block->instructions,
                    block->executions, block->translations);
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || strlen(argv[0]) >= sizeof path) return -1;
    strcpy(path, argv[0] + 4);
    blocks = calloc(SLOTS, sizeof *blocks);
    if (!blocks) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return 0;
}

/* A plugin of QEMU's software emulation that writes down the way of single operations.
 *
 * From the moment the guest executes the address `begin` until it executes `end`, each piece of code that runs becomes one line: its
 * address and its number of instructions. A line `-` ends a recording. With one CPU this is the exact way; pieces of interrupts are in
 * it, too. `bench/profile/plugin.c` says why the interface is declared here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
EXPORT int qemu_plugin_version = 1;
enum { NO_REGISTERS = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

struct piece {
    uint64_t address, instructions;
};

static uint64_t begin, end;
static int recording;
static FILE *out;

static void executed(unsigned cpu, void *data)
{
    const struct piece *piece = data;
    (void)cpu;
    if (piece->address == begin) {
        recording = 1;
    } else if (recording && piece->address == end) {
        recording = 0;
        fprintf(out, "-\n");
        fflush(out);
    } else if (recording) {
        fprintf(out, "%" PRIx64 " %" PRIu64 "\n", piece->address, piece->instructions);
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    /* The emulation may run the code as long as it runs at all, so this is never freed. */
    struct piece *piece = malloc(sizeof *piece);
    if (!piece) {
        perror("path");
        exit(1);
    }
    *piece = (struct piece){ qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb) };
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, piece);
}

static const char *value(const char *argument, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(argument, name, length) && argument[length] == '=' ? argument + length + 1 : 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *text;
        if ((text = value(argv[i], "out"))) out = fopen(text, "w");
        else if ((text = value(argv[i], "begin"))) begin = strtoull(text, 0, 16);
        else if ((text = value(argv[i], "end"))) end = strtoull(text, 0, 16);
        else return -1;
    }
    if (!out || !begin || !end) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}

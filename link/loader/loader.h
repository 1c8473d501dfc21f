/* What the files of this folder share: the program's side of shared libraries. The other side is libos/src/syscall/library.rs. */
#ifndef TRAPLESS_LOADER_H
#define TRAPLESS_LOADER_H

#include <stddef.h>
#include <stdint.h>

/* Numbers of our own system calls (libos/abi/src/table/library.rs). */
#define SYS_dl_load 509
#define SYS_dl_info 510
#define SYS_dl_symbol 511

/* Most libraries; the library OS has the same limit. */
#define MAX_LIBRARIES 256

/* Stands for the program where dl_symbol wants the number of a library. */
#define PROGRAM ((size_t)-1)

typedef void function(void);

/* What dl_info tells about a library. All addresses are those in memory. */
struct dl_info {
	uint64_t base;
	uint64_t start, end;
	uint64_t dynamic;
	uint64_t headers, header_count;
	uint64_t init, init_array, init_count;
	uint64_t fini, fini_array, fini_count;
	uint64_t tls, tls_file_size, tls_memory_size, tls_align;
	char path[4096];
};

/* Libraries by number. Written with the lock held, before anybody is told the number; never taken away. */
extern struct dl_info *trapless_libraries[MAX_LIBRARIES];
extern size_t trapless_library_count;

static inline size_t count_loaded(void)
{
	return __atomic_load_n(&trapless_library_count, __ATOMIC_ACQUIRE);
}

/* What a library's code calls to reach a thread-local variable; the table of exports gives it the name that compilers use,
 * __tls_get_addr. musl's own of that name serves variables of the program. */
struct tls_index {
	size_t module, offset;
};
void *trapless_tls_get_addr(const struct tls_index *index);

#endif

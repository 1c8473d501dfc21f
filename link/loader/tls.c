/* Thread-local variables of libraries. Each thread gets its copy of a library's when it first asks for one.
 *
 * A thread's copies are freed at its end, after the destructors of other keys, which may use them: musl goes through the keys
 * PTHREAD_DESTRUCTOR_ITERATIONS times, and ours is freed in the last round. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"

/* The copies of one thread, by number of the library. */
struct copies {
	int rounds;
	void *of[MAX_LIBRARIES];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "thread-local variables of a shared library: %s\n", what);
	abort();
}

static void end_thread(void *data)
{
	struct copies *copies = data;
	if (++copies->rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
		pthread_setspecific(key, copies);
		return;
	}
	for (size_t number = 0; number < MAX_LIBRARIES; number++)
		free(copies->of[number]);
	free(copies);
}

static void make_key(void)
{
	if (pthread_key_create(&key, end_thread))
		fail("no key is left");
}

static void *new_copy(size_t number)
{
	const struct dl_info *library = trapless_libraries[number];
	size_t align = library->tls_align < 16 ? 16 : library->tls_align;
	void *copy = aligned_alloc(align, (library->tls_memory_size + align - 1) & -align);
	if (!copy)
		fail("out of memory");
	memcpy(copy, (const void *)library->tls, library->tls_file_size);
	memset((char *)copy + library->tls_file_size, 0, library->tls_memory_size - library->tls_file_size);
	return copy;
}

void *trapless_tls_get_addr(const struct tls_index *index)
{
	pthread_once(&once, make_key);
	struct copies *copies = pthread_getspecific(key);
	if (!copies) {
		copies = calloc(1, sizeof *copies);
		if (!copies || pthread_setspecific(key, copies))
			fail("out of memory");
	}
	size_t number = index->module - 1;
	if (!copies->of[number])
		copies->of[number] = new_copy(number);
	return (char *)copies->of[number] + index->offset;
}

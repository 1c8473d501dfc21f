/* dlopen(3) and its relatives, in the place of the stubs that musl has for programs without a dynamic linker: musl defines them weakly.
 *
 * The library OS reads, places and relocates a library (dl_load); what has to run as the program is here: locks, the functions that a
 * library wants called, and the words for dlerror(3). As with musl, a library is never unloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader.h"

#define hidden __attribute__((__visibility__("hidden")))

/* musl's, in its src/ldso. */
hidden void __dl_seterr(const char *, ...);

struct dl_info *trapless_libraries[MAX_LIBRARIES];
size_t trapless_library_count;

/* One load at a time. Recursive: a library's start may load another. */
static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The handle of the program itself. */
static struct dl_info program;

/* At the end of the program: what was started last ends first. */
static void end_all(void)
{
	for (size_t number = count_loaded(); number-- > 0;) {
		const struct dl_info *library = trapless_libraries[number];
		for (uint64_t i = library->fini_count; i-- > 0;)
			((function **)library->fini_array)[i]();
		if (library->fini)
			((function *)library->fini)();
	}
}

/* Takes in what dl_load has brought, and starts it. With the lock held. Without memory to note one in it stops there; the next load goes on. */
static void adopt(void)
{
	size_t first = trapless_library_count, next = first;
	for (; next < MAX_LIBRARIES; next++) {
		struct dl_info *library = malloc(sizeof *library);
		if (!library || syscall(SYS_dl_info, next, library, sizeof *library) < 0) {
			free(library);
			break;
		}
		if (next == 0)
			atexit(end_all);
		/* Most paths are short. */
		struct dl_info *small = realloc(library, offsetof(struct dl_info, path) + strlen(library->path) + 1);
		trapless_libraries[next] = small ? small : library;
	}
	__atomic_store_n(&trapless_library_count, next, __ATOMIC_RELEASE);
	for (size_t number = first; number < next; number++) {
		const struct dl_info *library = trapless_libraries[number];
		if (library->init)
			((function *)library->init)();
		for (uint64_t i = 0; i < library->init_count; i++)
			((function **)library->init_array)[i]();
	}
}

static void make_lock(void)
{
	pthread_mutexattr_t recursive;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&lock, &recursive);
}

void *dlopen(const char *path, int mode)
{
	if (!path)
		return &program;
	char why[1024] = "";
	pthread_once(&once, make_lock);
	pthread_mutex_lock(&lock);
	long number = syscall(SYS_dl_load, path, mode, why, sizeof why);
	if (number >= 0)
		adopt();
	struct dl_info *library = number >= 0 ? trapless_libraries[number] : 0;
	pthread_mutex_unlock(&lock);
	if (!library)
		__dl_seterr("%s", *why ? why : "Error loading shared library: out of memory");
	return library;
}

/* The number of a handle; -2 if it is none. */
static size_t number_of(const void *handle)
{
	if (!handle || handle == &program)
		return PROGRAM;
	for (size_t number = 0; number < count_loaded(); number++)
		if (trapless_libraries[number] == handle)
			return number;
	return (size_t)-2;
}

/* Called by musl's dlclose(3) and dlinfo(3). */
hidden int __dl_invalid_handle(void *handle)
{
	if (handle && number_of(handle) != (size_t)-2)
		return 0;
	__dl_seterr("Invalid library handle %p", handle);
	return 1;
}

/* Called by musl's dlsym(3). */
hidden void *__dlsym(void *restrict handle, const char *restrict name, void *restrict caller)
{
	(void)caller;
	void *value = 0;
	if (handle == RTLD_NEXT) {
		__dl_seterr("RTLD_NEXT is not supported (symbol %s)", name);
		return 0;
	}
	size_t number = number_of(handle);
	if (number == (size_t)-2) {
		__dl_seterr("Invalid library handle %p", handle);
		return 0;
	}
	if (syscall(SYS_dl_symbol, number, name, &value) < 0) {
		__dl_seterr("Symbol not found: %s", name);
		return 0;
	}
	return value;
}

/* The library that an address lies in. */
static const struct dl_info *library_of(uint64_t address)
{
	for (size_t number = 0; number < count_loaded(); number++)
		if (address >= trapless_libraries[number]->start && address < trapless_libraries[number]->end)
			return trapless_libraries[number];
	return 0;
}

/* The library of an address; which symbol of it that is, is not known. */
int dladdr(const void *address, Dl_info *info)
{
	const struct dl_info *library = library_of((uint64_t)address);
	if (!library)
		return 0;
	*info = (Dl_info){.dli_fname = library->path, .dli_fbase = (void *)library->base};
	return 1;
}

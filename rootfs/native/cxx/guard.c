/* Static variables of functions in C++, which are initialised by whoever comes first while the others wait (Itanium C++ ABI, "One-time
 * Construction API"). The first byte of a guard says that it is done, which compiled code looks at by itself; the second is ours: somebody
 * is at it. */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

__attribute__((visibility("hidden"))) int __cxa_guard_acquire(char *guard)
{
	pthread_mutex_lock(&lock);
	while (!guard[0] && guard[1])
		pthread_cond_wait(&changed, &lock);
	int mine = !guard[0];
	guard[1] = mine;
	pthread_mutex_unlock(&lock);
	return mine;
}

static void leave(char *guard, char done)
{
	pthread_mutex_lock(&lock);
	guard[1] = 0;
	__atomic_store_n(guard, done, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

__attribute__((visibility("hidden"))) void __cxa_guard_release(char *guard)
{
	leave(guard, 1);
}

__attribute__((visibility("hidden"))) void __cxa_guard_abort(char *guard)
{
	leave(guard, 0);
}

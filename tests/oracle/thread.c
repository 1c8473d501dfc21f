/* Threads: their life, attributes and private data. */
#include "oracle.h"
#include <alloca.h>
#include <fcntl.h>
#include <sys/prctl.h>

static void *echo(void *value)
{
	return value;
}

TEST(create_and_join)
{
	VALUE(join(start(echo, (void *)42)));
	long sum = 0;
	for (int i = 0; i < 500; i++) sum += (long)join(start(echo, (void *)(intptr_t)i));
	VALUE(sum);
}

TEST(many_at_once)
{
	pthread_t threads[64];
	long sum = 0;
	for (int i = 0; i < 64; i++) threads[i] = start(echo, (void *)(intptr_t)i);
	for (int i = 63; i >= 0; i--) sum += (long)join(threads[i]);
	VALUE(sum);
}

static int count;

static void *counts(void *unused)
{
	__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	return unused;
}

TEST(detached)
{
	count = 0;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	RC(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, &attributes, counts, 0);
		if (error) say("create %d: %s", i, errname(error));
	}
	for (int i = 0; i < 100; i++) pthread_detach(start(counts, 0));
	UNTIL(__atomic_load_n(&count, __ATOMIC_SEQ_CST) == 300);
	pthread_attr_destroy(&attributes);
	VALUE(count);
}

static void *detaches_itself(void *unused)
{
	RC(pthread_detach(pthread_self()));
	return counts(unused);
}

TEST(detach_self)
{
	count = 0;
	start(detaches_itself, 0);
	UNTIL(__atomic_load_n(&count, __ATOMIC_SEQ_CST) == 1);
	pause_ms(20);
}

static void *measures(void *unused)
{
	pthread_attr_t attributes;
	void *stack;
	size_t size, guard;
	(void)unused;
	RC(pthread_getattr_np(pthread_self(), &attributes));
	RC(pthread_attr_getstack(&attributes, &stack, &size));
	RC(pthread_attr_getguardsize(&attributes, &guard));
	say("stack %zu guard %zu, inside %d", size, guard, (char *)&size > (char *)stack && (char *)&size < (char *)stack + size);
	/* All of the stack can be used. */
	volatile char deep[600 * 1024];
	for (size_t i = 0; i < sizeof deep; i += 4096) deep[i] = (char)i;
	say("deep %d", deep[4096 * 3]);
	return 0;
}

TEST(attributes)
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	RC(pthread_attr_setstacksize(&attributes, 1000));
	RC(pthread_attr_setstacksize(&attributes, 1 << 20));
	RC(pthread_attr_setguardsize(&attributes, 8192));
	/* It prints: the result of the call may come later. */
	if (pthread_create(&thread, &attributes, measures, 0)) return;
	VALUE(join(thread));
	/* A stack of our own. */
	void *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	RC(pthread_attr_setstack(&attributes, memory, 1 << 20));
	RC(pthread_create(&thread, &attributes, echo, (void *)9));
	VALUE(join(thread));
	munmap(memory, 1 << 20);
	pthread_attr_destroy(&attributes);
}

static __thread int zero;
static __thread int initialised = 77;
static __thread char aligned[64] __attribute__((aligned(64)));

static void *uses_tls(void *number)
{
	int sum = zero + initialised + ((uintptr_t)aligned % 64 != 0);
	for (int i = 0; i < 1000; i++) {
		zero++;
		aligned[i % 64] = (char)(intptr_t)number;
		if (i % 100 == 0) sched_yield();
	}
	for (int i = 0; i < 64; i++) sum += aligned[i] != (char)(intptr_t)number;
	return (void *)(intptr_t)(sum * 10000 + zero);
}

TEST(thread_locals)
{
	pthread_t threads[8];
	initialised = 5;
	for (int i = 0; i < 8; i++) threads[i] = start(uses_tls, (void *)(intptr_t)i);
	for (int i = 0; i < 8; i++) VALUE(join(threads[i]));
	VALUE(initialised);
	initialised = 77;
}

static pthread_key_t key, second;
static int destroyed;

static void destroy(void *value)
{
	__atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void destroy_again(void *value)
{
	destroy(value);
	if ((intptr_t)value > 1) pthread_setspecific(second, (void *)((intptr_t)value - 1));
}

static void *has_keys(void *value)
{
	long before = (long)pthread_getspecific(key);
	pthread_setspecific(key, value);
	pthread_setspecific(second, (void *)3);
	sched_yield();
	return (void *)(before * 100 + (long)pthread_getspecific(key));
}

TEST(keys)
{
	destroyed = 0;
	RC(pthread_key_create(&key, destroy));
	RC(pthread_key_create(&second, destroy_again));
	VALUE(join(start(has_keys, (void *)10)));
	VALUE(join(start(has_keys, (void *)20)));
	VALUE(destroyed);
	VALUE((long)pthread_getspecific(key));
	RC(pthread_key_delete(key));
	RC(pthread_key_delete(second));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void slow_count(void)
{
	pause_ms(5);
	count++;
}

static void *runs_once(void *unused)
{
	pthread_once(&once, slow_count);
	return (void *)(intptr_t)(count + (unused != 0));
}

TEST(once_only)
{
	count = 0;
	once = (pthread_once_t)PTHREAD_ONCE_INIT;
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) threads[i] = start(runs_once, 0);
	for (int i = 0; i < 8; i++) VALUE(join(threads[i]));
}

static void *leaves(void *unused)
{
	(void)unused;
	pthread_exit((void *)123);
}

TEST(exit_value)
{
	VALUE(join(start(leaves, 0)));
}

static void *sleeps_till_told(void *flag)
{
	UNTIL(__atomic_load_n((int *)flag, __ATOMIC_SEQ_CST));
	return 0;
}

TEST(join_with_limit)
{
	int flag = 0;
	pthread_t thread = start(sleeps_till_told, &flag);
	struct timespec limit = in_ms(CLOCK_REALTIME, 20);
	RC(pthread_tryjoin_np(thread, 0));
	RC(pthread_timedjoin_np(thread, 0, &limit));
	__atomic_store_n(&flag, 1, __ATOMIC_SEQ_CST);
	RC(pthread_join(thread, 0));
}

static void *knows_itself(void *unused)
{
	(void)unused;
	pid_t tid = syscall(SYS_gettid);
	char name[16];
	say("tid differs from pid: %d, same group: %d", tid != getpid(), (int)syscall(SYS_tgkill, getpid(), tid, 0));
	RC(pthread_setname_np(pthread_self(), "a name"));
	RC(pthread_setname_np(pthread_self(), "a name that is too long"));
	CALL(prctl(PR_GET_NAME, name));
	say("name '%s'", name);
	CALL(prctl(PR_SET_NAME, "cut after fifteen letters"));
	CALL(prctl(PR_GET_NAME, name));
	say("name '%s'", name);
	return 0;
}

TEST(identity)
{
	VALUE(syscall(SYS_gettid) == getpid());
	join(start(knows_itself, 0));
	CALL(syscall(SYS_tgkill, getpid(), 999999, 0));
	CALL(syscall(SYS_tkill, 999999, 0));
}

static sem_t ready_to_go;

static void *holds(void *unused)
{
	sem_wait(&ready_to_go);
	return unused;
}

/* More threads than any table of a fixed size has room for. */
TEST(two_hundred_blocked)
{
	pthread_t threads[200];
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 16384);
	sem_init(&ready_to_go, 0, 0);
	int made = 0;
	for (int i = 0; i < 200; i++) made += pthread_create(&threads[i], &attributes, holds, 0) == 0;
	VALUE(made);
	for (int i = 0; i < 200; i++) sem_post(&ready_to_go);
	for (int i = 0; i < 200; i++) join(threads[i]);
	pthread_attr_destroy(&attributes);
}

static int growing;

static void *writes_at_depth(void *depth)
{
	static const char block[4096];
	volatile char *pad = alloca((size_t)depth + 1);
	long written = 0;
	pad[0] = 1;
	for (int i = 0; i < 20; i++) written += write(growing, block, sizeof block);
	return (void *)written;
}

/* A stack grows page by page: wherever the work of a call meets the end of what is there, it goes on. */
TEST(calls_at_every_depth)
{
	long written = 0;
	CALL((growing = open("growing", O_RDWR | O_CREAT, 0600)) < 0);
	for (long depth = 0; depth < 4096; depth += 16) written += (long)join(start(writes_at_depth, (void *)depth));
	VALUE(written);
	close(growing);
	unlink("growing");
}

AREA(thread)
	T(create_and_join) T(many_at_once) T(detached) T(detach_self) T(attributes) T(thread_locals) T(keys) T(once_only)
	T(exit_value) T(join_with_limit) T(identity) T(two_hundred_blocked) T(calls_at_every_depth)
END

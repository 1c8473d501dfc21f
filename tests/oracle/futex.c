/* futex(2), without the C library in between. */
#include "oracle.h"
#include <linux/futex.h>

static int word, other;
static int woken;

static long futex(int *at, int op, int value, const void *limit, int *second, int third)
{
	return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, limit, second, third);
}

/* Sleeps until the word changes; counts itself when it is awake again. */
static void *sleeper(void *bits)
{
	int mask = (int)(intptr_t)bits;
	long result;
	do result = futex(&word, mask ? FUTEX_WAIT_BITSET : FUTEX_WAIT, 0, 0, 0, mask);
	while (result == -1 && errno == EINTR);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return (void *)(intptr_t)(result == 0 ? 0 : errno);
}

TEST(value_differs)
{
	word = 5;
	CALL(futex(&word, FUTEX_WAIT, 4, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAIT_BITSET, 4, 0, 0, 1));
	CALL(syscall(SYS_futex, &word, FUTEX_WAIT, 4, 0, 0, 0));
}

TEST(wake_nobody)
{
	CALL(futex(&word, FUTEX_WAKE, 1, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAKE, INT_MAX, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAKE_BITSET, 1, 0, 0, -1));
}

TEST(relative_limit)
{
	word = 0;
	struct timespec limit = for_ms(20), none = for_ms(0);
	int64_t begin = now();
	CALL(futex(&word, FUTEX_WAIT, 0, &limit, 0, 0));
	VALUE(now() - begin >= 20 * MS);
	CALL(futex(&word, FUTEX_WAIT, 0, &none, 0, 0));
}

TEST(absolute_limit)
{
	word = 0;
	struct timespec limit = in_ms(CLOCK_MONOTONIC, 20), past = { 1, 0 };
	int64_t begin = now();
	CALL(futex(&word, FUTEX_WAIT_BITSET, 0, &limit, 0, -1));
	VALUE(now() - begin >= 19 * MS);
	CALL(futex(&word, FUTEX_WAIT_BITSET, 0, &past, 0, -1));
	limit = in_ms(CLOCK_REALTIME, 20);
	begin = now();
	CALL(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &limit, 0, -1));
	VALUE(now() - begin >= 15 * MS);
	CALL(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, 0, -1));
}

TEST(wake_counts)
{
	word = woken = 0;
	pthread_t threads[5];
	for (int i = 0; i < 5; i++) threads[i] = start(sleeper, 0);
	let_it_block();
	CALL(futex(&word, FUTEX_WAKE, 2, 0, 0, 0));
	UNTIL(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) == 2);
	pause_ms(10);
	VALUE(__atomic_load_n(&woken, __ATOMIC_SEQ_CST));
	CALL(futex(&word, FUTEX_WAKE, INT_MAX, 0, 0, 0));
	for (int i = 0; i < 5; i++) VALUE(join(threads[i]));
}

TEST(bitsets)
{
	word = woken = 0;
	pthread_t first = start(sleeper, (void *)1), second = start(sleeper, (void *)6);
	let_it_block();
	CALL(futex(&word, FUTEX_WAKE_BITSET, INT_MAX, 0, 0, 8));
	CALL(futex(&word, FUTEX_WAKE_BITSET, INT_MAX, 0, 0, 2));
	VALUE(join(second));
	VALUE(woken);
	CALL(futex(&word, FUTEX_WAKE, INT_MAX, 0, 0, 0));
	VALUE(join(first));
}

TEST(requeue)
{
	word = other = woken = 0;
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) threads[i] = start(sleeper, 0);
	let_it_block();
	CALL(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)10, &other, 7));
	CALL(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2, &other, 0));
	CALL(futex(&word, FUTEX_WAKE, INT_MAX, 0, 0, 0));
	CALL(futex(&other, FUTEX_WAKE, 1, 0, 0, 0));
	CALL(futex(&other, FUTEX_REQUEUE, 0, (void *)5, &word, 0));
	CALL(futex(&other, FUTEX_WAKE, 1, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAKE, 5, 0, 0, 0));
	for (int i = 0; i < 4; i++) join(threads[i]);
	VALUE(woken);
}

TEST(wake_op)
{
	word = woken = 0;
	other = 10;
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_SET, 3, FUTEX_OP_CMP_EQ, 1)));
	VALUE(word);
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_EQ, 1)));
	VALUE(word);
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_EQ, 1)));
	VALUE(word);
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 5, 0, 1)));
	VALUE(word);
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_XOR, 36, 0, 1)));
	VALUE(word);
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(9, 36, 0, 1)));
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(0, 36, 9, 1)));
	/* The second word's sleepers wake only if its old value compares. */
	word = 0;
	pthread_t thread = start(sleeper, 0);
	let_it_block();
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 0)));
	CALL(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LE, 0)));
	VALUE(join(thread));
}

TEST(refused)
{
	word = 0;
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	CALL(futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, 0, 0, 0));
	CALL(futex((int *)((char *)&word + 2), FUTEX_WAKE, 1, 0, 0, 0));
	CALL(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, (int *)((char *)&other + 1), 0));
	CALL(futex(&word, FUTEX_REQUEUE, -1, (void *)1, &other, 0));
	CALL(futex(&word, FUTEX_REQUEUE, 1, (void *)-1, &other, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, &bad, 0, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, &negative, 0, 0));
	CALL(futex(&word, FUTEX_WAIT_BITSET, 0, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, 0, 0));
	CALL(futex(&word, 77, 1, 0, 0, 0));
	CALL(futex(0, FUTEX_WAIT, 0, 0, 0, 0));
	CALL(futex((int *)0xdeadbeef0000, FUTEX_WAIT, 0, 0, 0, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, (void *)1, 0, 0));
	CALL(futex((int *)0xdeadbeef0000, FUTEX_WAKE, 1, 0, 0, 0));
}

/* Sleepers and wakers that never stop to think: each wake-up must arrive. */
static void *ping(void *own)
{
	int mine = (int)(intptr_t)own;
	for (int i = 0; i < 2000; i++) {
		while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) != mine) futex(&word, FUTEX_WAIT, !mine, 0, 0, 0);
		__atomic_store_n(&word, !mine, __ATOMIC_SEQ_CST);
		futex(&word, FUTEX_WAKE, 1, 0, 0, 0);
	}
	return 0;
}

TEST(ping_pong)
{
	word = 0;
	pthread_t a = start(ping, (void *)0), b = start(ping, (void *)1);
	VALUE(join(a));
	VALUE(join(b));
	VALUE(word);
}

/* Three words at once, sleepers with limits: a sleeper that timed out must not eat another's wake-up. */
static int ring[8];

static void *round(void *place)
{
	int i = (int)(intptr_t)place, missed = 0;
	for (int n = 1; n <= 300; n++) {
		while (__atomic_load_n(&ring[i], __ATOMIC_SEQ_CST) < n) {
			struct timespec limit = { 0, 50000 };
			int seen = __atomic_load_n(&ring[i], __ATOMIC_SEQ_CST);
			if (seen < n && futex(&ring[i], FUTEX_WAIT, seen, &limit, 0, 0) == -1 && errno == EINVAL) missed++;
		}
		int next = (i + 1) % 8;
		__atomic_add_fetch(&ring[next], 1, __ATOMIC_SEQ_CST);
		futex(&ring[next], FUTEX_WAKE, 1, 0, 0, 0);
	}
	return (void *)(intptr_t)missed;
}

TEST(ring_with_limits)
{
	memset(ring, 0, sizeof ring);
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) threads[i] = start(round, (void *)(intptr_t)i);
	__atomic_add_fetch(&ring[0], 1, __ATOMIC_SEQ_CST);
	futex(&ring[0], FUTEX_WAKE, 1, 0, 0, 0);
	for (int i = 0; i < 8; i++) VALUE(join(threads[i]));
}

/* Answers each time that the word becomes 1, and ends when it becomes 2. */
static void *answer(void *unused)
{
	(void)unused;
	for (;;) {
		int seen;
		while (!(seen = __atomic_load_n(&word, __ATOMIC_SEQ_CST))) futex(&word, FUTEX_WAIT, 0, 0, 0, 0);
		__atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&other, 1, __ATOMIC_SEQ_CST);
		futex(&other, FUTEX_WAKE, 1, 0, 0, 0);
		if (seen == 2) return 0;
	}
}

static void ask(int what)
{
	__atomic_store_n(&word, what, __ATOMIC_SEQ_CST);
	futex(&word, FUTEX_WAKE, 1, 0, 0, 0);
}

/* Who has always slept after a wake-up, and then does not, keeps nobody waiting. */
TEST(waker_goes_on)
{
	word = other = 0;
	pthread_t thread = start(answer, 0);
	int count = 0;
	for (int64_t end = now() + 200 * MS; now() < end; count++) {
		ask(1);
		while (__atomic_load_n(&other, __ATOMIC_SEQ_CST) == count) futex(&other, FUTEX_WAIT, count, 0, 0, 0);
	}
	ask(2);
	int64_t end = now() + 5000 * MS;
	while (__atomic_load_n(&other, __ATOMIC_SEQ_CST) == count && now() < end);
	VALUE(__atomic_load_n(&other, __ATOMIC_SEQ_CST) == count + 1);
	VALUE(join(thread));
}

AREA(futex)
	T(value_differs) T(wake_nobody) T(relative_limit) T(absolute_limit) T(wake_counts) T(bitsets) T(requeue) T(wake_op)
	T(refused) T(ping_pong) T(ring_with_limits) T(waker_goes_on)
END

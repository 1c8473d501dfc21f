/* Socket pairs of AF_UNIX, and descriptors sent through them. */
#include "oracle.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static int fds[2];

static void done(void)
{
	close(fds[0]);
	close(fds[1]);
}

TEST(stream)
{
	char buffer[16];
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(write(fds[0], "hello", 5));
	CALL(write(fds[0], "world", 5));
	CALL(recv(fds[1], buffer, 16, MSG_PEEK));
	CALL(read(fds[1], buffer, 7));
	CALL(recv(fds[1], buffer, 16, MSG_DONTWAIT));
	CALL(recv(fds[1], buffer, 16, MSG_DONTWAIT));
	CALL(write(fds[1], "back", 4));
	int waiting = -1;
	CALL(ioctl(fds[0], FIONREAD, &waiting));
	VALUE(waiting);
	CALL(shutdown(fds[1], SHUT_WR));
	CALL(read(fds[0], buffer, 16));
	CALL(read(fds[0], buffer, 16));
	CALL(write(fds[0], "still", 5));
	CALL(read(fds[1], buffer, 16));
	CALL(send(fds[1], "x", 1, MSG_NOSIGNAL));
	CALL(shutdown(fds[1], 77));
	close(fds[0]);
	CALL(read(fds[1], buffer, 16));
	close(fds[1]);
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(write(fds[0], "unread", 6));
	CALL(write(fds[1], "unread", 6));
	close(fds[0]);
	CALL(read(fds[1], buffer, 16));
	CALL(read(fds[1], buffer, 16));
	close(fds[1]);
}

TEST(datagrams)
{
	char buffer[8];
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	CALL(send(fds[0], "one", 3, 0));
	CALL(send(fds[0], "", 0, 0));
	CALL(send(fds[0], "three", 5, 0));
	CALL(recv(fds[1], buffer, 8, 0));
	CALL(recv(fds[1], buffer, 8, 0));
	CALL(recv(fds[1], buffer, 2, MSG_TRUNC));
	CALL(recv(fds[1], buffer, 8, MSG_DONTWAIT));
	done();
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	CALL(send(fds[0], "one", 3, 0));
	CALL(send(fds[0], "two", 3, 0));
	CALL(recv(fds[1], buffer, 8, 0));
	close(fds[0]);
	CALL(recv(fds[1], buffer, 8, 0));
	CALL(recv(fds[1], buffer, 8, 0));
	close(fds[1]);
}

TEST(refused)
{
	CALL(socketpair(AF_UNIX, 77, 0, fds));
	CALL(socketpair(AF_INET, SOCK_STREAM, 0, fds));
	CALL(socketpair(99, SOCK_STREAM, 0, fds));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 77, fds));
	CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
	char byte;
	CALL(read(fds[0], &byte, 1));
	CALL(fcntl(fds[0], F_GETFD));
	CALL(listen(fds[0], 1));
	CALL(lseek(fds[0], 0, SEEK_SET));
	done();
	int pipes[2];
	if (pipe(pipes)) return;
	CALL(send(pipes[1], "x", 1, 0));
	CALL(recv(pipes[0], &byte, 1, 0));
	CALL(shutdown(pipes[0], SHUT_RD));
	CALL(getsockname(pipes[0], 0, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* Sends a byte with descriptors, `count` of them. */
static long send_descriptors(int to, const int *which, int count)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { "d", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), which, count * sizeof(int));
	return sendmsg(to, &message, 0);
}

/* Receives into room for `room` descriptors; value: how many came. */
static int receive_descriptors(int from, int *which, int room, int flags)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room ? &control : 0,
		.msg_controllen = room ? CMSG_LEN(room * sizeof(int)) : 0 };
	long got = recvmsg(from, &message, flags);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int count = 0;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(which, CMSG_DATA(head), count * sizeof(int));
	}
	say("got %ld '%c' with %d descriptors, flags %#x", got, byte ? byte : '-', count, message.msg_flags & ~MSG_CMSG_CLOEXEC);
	return count;
}

TEST(descriptors)
{
	int pipes[2], got[4];
	char byte;
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	if (pipe(pipes)) return;
	CALL(send_descriptors(fds[0], pipes, 2));
	close(pipes[0]);
	close(pipes[1]);
	receive_descriptors(fds[1], got, 4, MSG_CMSG_CLOEXEC);
	CALL(fcntl(got[0], F_GETFD));
	CALL(write(got[1], "through", 1));
	CALL(read(got[0], &byte, 1));
	/* An open file is shared, not copied. */
	CALL(fcntl(got[0], F_SETFL, O_NONBLOCK));
	CALL(send_descriptors(fds[0], got, 1));
	receive_descriptors(fds[1], got + 2, 1, 0);
	CALL(fcntl(got[2], F_GETFD));
	CALL(fcntl(got[2], F_GETFL));
	close(got[2]);
	/* No room. */
	CALL(send_descriptors(fds[0], got, 2));
	int one = receive_descriptors(fds[1], got + 2, 1, 0);
	if (one == 1) close(got[2]);
	CALL(send_descriptors(fds[0], got, 2));
	receive_descriptors(fds[1], got + 2, 0, 0);
	int bad = 99;
	CALL(send_descriptors(fds[0], &bad, 1));
	/* In flight when its socket is closed. */
	CALL(send_descriptors(fds[0], got + 1, 1));
	close(got[1]);
	done();
	CALL(read(got[0], &byte, 1));
	close(got[0]);
}

TEST(names)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(getsockname(fds[0], (void *)&name, &size));
	say("family %d size %d", name.ss_family, (int)size);
	int value = -1;
	size = sizeof value;
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &size));
	VALUE(value == SOCK_STREAM);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &value, &size));
	VALUE(value);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
	VALUE(value == AF_UNIX);
	done();
}

static void *drains(void *unused)
{
	static char buffer[10000];
	long total = 0, n;
	while ((n = read(fds[1], buffer, sizeof buffer)) > 0) total += n;
	return (void *)(total + (unused != 0));
}

TEST(large_write)
{
	static char block[1 << 20];
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	pthread_t thread = start(drains, 0);
	CALL(write(fds[0], block, sizeof block));
	close(fds[0]);
	VALUE(join(thread));
	close(fds[1]);
}

TEST(wait_for_all)
{
	char buffer[16];
	struct timeval limit = { 0, 20000 };
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(write(fds[0], "four", 4));
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(recv(fds[1], buffer, 8, MSG_WAITALL));
	CALL(recv(fds[1], buffer, 8, MSG_WAITALL));
	done();
}

static const int all_kinds[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

static int pending_error(int socket)
{
	int error = -1;
	socklen_t size = sizeof error;
	CALL(getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size));
	return error;
}

static int events_of(int socket)
{
	struct pollfd one = { .fd = socket, .events = POLLIN | POLLOUT | POLLRDHUP };
	poll(&one, 1, 0);
	return one.revents;
}

/* What the other end learns when one is closed that still has something to read. */
TEST(reset)
{
	char buffer[8];
	for (int i = 0; i < 3; i++) {
		VALUE(i);
		CALL(socketpair(AF_UNIX, all_kinds[i] | SOCK_NONBLOCK, 0, fds));
		CALL(write(fds[0], "first", 5));
		CALL(write(fds[1], "unread", 6));
		close(fds[0]);
		say("events %#x", events_of(fds[1]));
		CALL(read(fds[1], buffer, 8));
		CALL(read(fds[1], buffer, 8));
		CALL(read(fds[1], buffer, 8));
		say("events %#x", events_of(fds[1]));
		CALL(send(fds[1], "x", 1, MSG_NOSIGNAL));
		close(fds[1]);
		CALL(socketpair(AF_UNIX, all_kinds[i] | SOCK_NONBLOCK, 0, fds));
		CALL(write(fds[1], "unread", 6));
		close(fds[0]);
		VALUE(pending_error(fds[1]));
		VALUE(pending_error(fds[1]));
		CALL(read(fds[1], buffer, 8));
		close(fds[1]);
		CALL(socketpair(AF_UNIX, all_kinds[i] | SOCK_NONBLOCK, 0, fds));
		CALL(write(fds[1], "unread", 6));
		close(fds[0]);
		CALL(send(fds[1], "x", 1, MSG_NOSIGNAL));
		CALL(read(fds[1], buffer, 8));
		close(fds[1]);
	}
}

TEST(bytes_waiting)
{
	char buffer[8];
	int waiting = -1;
	for (int i = 0; i < 3; i++) {
		CALL(socketpair(AF_UNIX, all_kinds[i], 0, fds));
		CALL(ioctl(fds[0], FIONREAD, &waiting));
		VALUE(waiting);
		CALL(write(fds[1], "four", 4));
		CALL(write(fds[1], "seven..", 7));
		CALL(ioctl(fds[0], FIONREAD, &waiting));
		VALUE(waiting);
		CALL(read(fds[0], buffer, 1));
		CALL(ioctl(fds[0], FIONREAD, &waiting));
		VALUE(waiting);
		CALL(ioctl(fds[0], FIONREAD, 8));
		CALL(listen(fds[0], 1));
		done();
	}
}

TEST(time_limits)
{
	static char block[1 << 20];
	struct timeval limit = { 0, 20000 }, got, bad = { 0, 1000000 }, none = { 0, 0 };
	socklen_t size = sizeof got;
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	say("%ld %ld size %d", (long)got.tv_sec, (long)got.tv_usec, (int)size);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &bad, sizeof bad));
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, 8));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	say("%ld %ld", (long)got.tv_sec, (long)got.tv_usec);
	CALL(getsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	say("%ld %ld", (long)got.tv_sec, (long)got.tv_usec);
	int64_t before = now();
	CALL(read(fds[0], block, 1));
	VALUE(now() - before >= 20 * MS);
	CALL(recv(fds[0], block, 1, 0));
	before = now();
	VALUE(write(fds[0], block, sizeof block) < (long)sizeof block);
	VALUE(now() - before >= 20 * MS);
	CALL(write(fds[0], block, sizeof block));
	CALL(send(fds[0], block, 1, 0));
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	say("%ld %ld", (long)got.tv_sec, (long)got.tv_usec);
	done();
}

static void *sends_the_rest(void *unused)
{
	pause_ms(20);
	write(fds[0], "wor", 3);
	pause_ms(20);
	write(fds[0], "ld", 2);
	return unused;
}

TEST(all_of_it)
{
	char buffer[16];
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(write(fds[0], "hello", 5));
	pthread_t thread = start(sends_the_rest, 0);
	CALL(recv(fds[1], buffer, 10, MSG_WAITALL));
	join(thread);
	CALL(write(fds[0], "end", 3));
	CALL(recv(fds[1], buffer, 10, MSG_WAITALL | MSG_DONTWAIT));
	CALL(write(fds[0], "end", 3));
	close(fds[0]);
	CALL(recv(fds[1], buffer, 10, MSG_WAITALL));
	close(fds[1]);
}

/* Descriptors end what one call receives, but do not begin it; who peeks gets them too. */
TEST(descriptors_as_borders)
{
	int got[4];
	char buffer[16];
	CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	CALL(write(fds[0], "before", 6));
	CALL(send_descriptors(fds[0], fds, 1));
	CALL(send_descriptors(fds[0], fds, 2));
	CALL(write(fds[0], "after", 5));
	CALL(recv(fds[1], buffer, 16, MSG_PEEK));
	CALL(read(fds[1], buffer, 5));
	CALL(read(fds[1], buffer, 1));
	if (receive_descriptors(fds[1], got, 4, MSG_PEEK) == 1) close(got[0]);
	if (receive_descriptors(fds[1], got, 4, 0) == 1) close(got[0]);
	CALL(read(fds[1], buffer, 16));
	CALL(read(fds[1], buffer, 16));
	CALL(read(fds[1], buffer, 16));
	CALL(send_descriptors(fds[0], fds, 1));
	CALL(write(fds[0], "after", 5));
	CALL(recv(fds[1], buffer, 6, MSG_WAITALL));
	CALL(recv(fds[1], buffer, 6, 0));
	done();
}

TEST(shutting_down)
{
	char buffer[8];
	for (int i = 0; i < 3; i++)
		for (int how = 0; how < 3; how++) {
			VALUE(i * 10 + how);
			CALL(socketpair(AF_UNIX, all_kinds[i] | SOCK_NONBLOCK, 0, fds));
			CALL(write(fds[0], "one", 3));
			CALL(write(fds[1], "two", 3));
			CALL(shutdown(fds[0], how));
			say("events %#x %#x", events_of(fds[0]), events_of(fds[1]));
			CALL(read(fds[0], buffer, 8));
			CALL(read(fds[1], buffer, 8));
			if (i < 2) CALL(read(fds[0], buffer, 8));
			CALL(read(fds[1], buffer, 8));
			CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
			CALL(send(fds[0], "", 0, MSG_NOSIGNAL));
			CALL(send(fds[1], "x", 1, MSG_NOSIGNAL));
			done();
		}
}

AREA(unix_socket)
	T(stream) T(datagrams) T(refused) T(descriptors) T(names) T(large_write) T(wait_for_all) T(reset) T(bytes_waiting)
	T(time_limits) T(all_of_it) T(descriptors_as_borders) T(shutting_down)
END

/* TCP over the loopback interface: refusals, resets, time limits and options. */
#include "inet.h"

static int fds[2];

TEST(nobody_listens)
{
	/* A port that was free a moment ago. */
	int server = listener(1), port = port_of(server);
	close(server);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(client, port));
	VALUE(socket_error(client));
	close(client);
	client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long result = connect_to(client, port);
	/* Over loopback the answer may be there at once. */
	say("in progress or refused: %d", result == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
	int at_once = errno == ECONNREFUSED;
	struct pollfd p = { client, POLLOUT, 0 };
	CALL(poll(&p, 1, -1));
	VALUE((p.revents & POLLHUP) != 0);
	VALUE(at_once || socket_error(client) == ECONNREFUSED);
	VALUE(socket_error(client));
	close(client);
}

TEST(in_progress)
{
	int server = listener(1), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	begin_connect(client, port_of(server));
	struct pollfd p = { client, POLLOUT, 0 };
	CALL(poll(&p, 1, -1));
	VALUE(socket_error(client));
	/* The first call after completion may tell success once more, the next tells that it is over. */
	connect_to(client, port_of(server));
	CALL(connect_to(client, port_of(server)));
	close(client);
	close(server);
}

TEST(address_in_use)
{
	int one = 1, server = listener(1), port = port_of(server), second = socket(AF_INET, SOCK_STREAM, 0);
	CALL(bind_to(second, port));
	CALL(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
	CALL(bind_to(second, port));
	close(server);
	CALL(bind_to(second, port));
	CALL(bind_to(second, port));
	CALL(listen(second, 1));
	close(second);
	struct sockaddr_in other = loopback(0);
	other.sin_addr.s_addr = htonl(0x08080808);
	second = socket(AF_INET, SOCK_STREAM, 0);
	CALL(bind(second, (void *)&other, sizeof other));
	CALL(bind(second, (void *)&other, 5));
	other.sin_family = 99;
	CALL(bind(second, (void *)&other, sizeof other));
	close(second);
}

TEST(wrong_state)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in name;
	socklen_t size = sizeof name;
	CALL(getpeername(fd, (void *)&name, &size));
	CALL(getsockname(fd, (void *)&name, &size));
	say("port %d", ntohs(name.sin_port));
	CALL(recv(fd, &byte, 1, 0));
	CALL(send(fd, &byte, 1, MSG_NOSIGNAL));
	CALL(shutdown(fd, SHUT_RDWR));
	CALL(accept(fd, 0, 0));
	close(fd);
	fd = listener(1);
	CALL(recv(fd, &byte, 1, 0));
	CALL(send(fd, &byte, 1, MSG_NOSIGNAL));
	CALL(connect_to(fd, port_of(fd)));
	CALL(listen(fd, 2));
	close(fd);
	tcp_pair(fds);
	CALL(connect_to(fds[0], 1));
	CALL(listen(fds[0], 1));
	CALL(bind_to(fds[0], 0));
	CALL(accept(fds[0], 0, 0));
	close(fds[0]);
	close(fds[1]);
	CALL(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	CALL(socket(AF_INET, 77, 0));
	CALL(socket(99, SOCK_STREAM, 0));
	CALL(socket(AF_INET, SOCK_STREAM | 0x10000000, 0));
}

/* SO_LINGER with a limit of 0: close(2) resets. */
TEST(reset)
{
	char buffer[8];
	struct linger now_ = { 1, 0 };
	tcp_pair(fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &now_, sizeof now_));
	close(fds[0]);
	struct pollfd p = { fds[1], POLLIN, 0 };
	CALL(poll(&p, 1, -1));
	say("%#x", p.revents & (POLLERR | POLLHUP | POLLIN));
	CALL(read(fds[1], buffer, 8));
	CALL(read(fds[1], buffer, 8));
	CALL(send(fds[1], buffer, 8, MSG_NOSIGNAL));
	close(fds[1]);
	tcp_pair(fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &now_, sizeof now_));
	close(fds[0]);
	p = (struct pollfd){ fds[1], POLLIN, 0 };
	CALL(poll(&p, 1, -1));
	VALUE(socket_error(fds[1]) == ECONNRESET);
	VALUE(socket_error(fds[1]));
	close(fds[1]);
}

/* Closing with unread data resets too. */
TEST(unread_data)
{
	char buffer[8];
	tcp_pair(fds);
	CALL(write(fds[0], "unread", 6));
	struct pollfd p = { fds[1], POLLIN, 0 };
	CALL(poll(&p, 1, -1));
	close(fds[1]);
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	CALL(poll(&p, 1, -1));
	CALL(read(fds[0], buffer, 8));
	close(fds[0]);
}

/* Writing to who has closed: taken at first, then reset. */
TEST(write_after_close)
{
	tcp_pair(fds);
	close(fds[1]);
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	struct pollfd p = { fds[0], 0, 0 };
	CALL(poll(&p, 1, -1));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	close(fds[0]);
}

TEST(time_limits)
{
	static char block[1 << 20];
	char byte;
	struct timeval limit = { 0, 20000 }, got;
	socklen_t size = sizeof got;
	tcp_pair(fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	/* Linux rounds to its ticks. */
	say("%ld %d, size %d", (long)got.tv_sec, got.tv_usec >= 20000 && got.tv_usec < 30000, (int)size);
	int64_t begin = now();
	CALL(read(fds[0], &byte, 1));
	VALUE(now() - begin >= 20 * MS);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	long n;
	/* As long as something moves on its way to the other end, there is room again. */
	while ((n = write(fds[0], block, sizeof block)) > 0) {
	}
	say("%ld, %s", n, errname(errno));
	close(fds[0]);
	close(fds[1]);
	int server = listener(1);
	CALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(accept(server, 0, 0));
	limit.tv_usec = 1000000;
	CALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, 3));
	close(server);
}

TEST(nonblocking_fill)
{
	static char block[65536];
	tcp_pair(fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	long total = 0, n;
	struct pollfd p = { fds[0], POLLOUT, 0 };
	/* What is on its way to the other end may make room again. */
	do while ((n = write(fds[0], block, sizeof block)) > 0) total += n;
	while (n == -1 && errno == EAGAIN && poll(&p, 1, 50) == 1);
	VALUE(n == -1 && errno == EAGAIN);
	CALL(poll(&p, 1, 0));
	long back = 0;
	while (back < total && (n = read(fds[1], block, sizeof block)) > 0) back += n;
	VALUE(total == back);
	CALL(poll(&p, 1, -1));
	VALUE(p.revents);
	close(fds[0]);
	close(fds[1]);
}

static void *reads(void *unused)
{
	char byte;
	long n = read(fds[1], &byte, 1);
	return (void *)(n == -1 ? -errno : n + (unused != 0));
}

static void *accepts(void *fd)
{
	long n = accept((int)(intptr_t)fd, 0, 0);
	return (void *)(n == -1 ? -errno : n);
}

/* shutdown(2) wakes who blocks. */
TEST(shutdown_wakes)
{
	tcp_pair(fds);
	pthread_t thread = start(reads, 0);
	let_it_block();
	CALL(shutdown(fds[1], SHUT_RD));
	VALUE(join(thread));
	thread = start(reads, 0);
	VALUE(join(thread));
	close(fds[0]);
	close(fds[1]);
	int server = listener(1);
	thread = start(accepts, (void *)(intptr_t)server);
	let_it_block();
	CALL(shutdown(server, SHUT_RDWR));
	VALUE((long)join(thread) == -EINVAL);
	close(server);
}

#define OPTION(level, name, input) do { \
	int value_ = (input); \
	socklen_t size_ = sizeof value_; \
	long set_ = setsockopt(fd, level, name, &value_, size_); \
	value_ = -1; \
	long got_ = getsockopt(fd, level, name, &value_, &size_); \
	say("%s: %ld %ld %d, size %d", #name, set_, got_, value_, (int)size_); } while (0)

TEST(options)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), value = 0;
	socklen_t size = sizeof value;
	OPTION(SOL_SOCKET, SO_KEEPALIVE, 5);
	OPTION(SOL_SOCKET, SO_REUSEADDR, 1);
	OPTION(IPPROTO_TCP, TCP_NODELAY, 1);
	OPTION(IPPROTO_TCP, TCP_NODELAY, 0);
	OPTION(IPPROTO_IP, IP_TOS, 16);
	OPTION(IPPROTO_IP, IP_TTL, 33);
	OPTION(SOL_SOCKET, SO_PRIORITY, 3);
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
	VALUE(value);
	CALL(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
	VALUE(value);
	value = 30000;
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &size));
	VALUE(value);
	value = 30000;
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &size));
	VALUE(value);
	struct linger linger = { 1, 7 };
	size = sizeof linger;
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	say("%d %d", linger.l_onoff, linger.l_linger);
	size = 1;
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
	VALUE(size);
	CALL(setsockopt(fd, SOL_SOCKET, 9999, &value, 4));
	CALL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2));
	size = -1;
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
	close(fd);
}

/* A connection to oneself is odd and legal; so is a name that must be cut. */
TEST(small_name)
{
	int server = listener(1), client = socket(AF_INET, SOCK_STREAM, 0);
	char name[4] = { 0 };
	socklen_t size = 4;
	CALL(connect_to(client, port_of(server)));
	int connection = accept(server, (void *)name, &size);
	VALUE(size);
	VALUE(*(short *)name);
	size = 0;
	CALL(getsockname(client, (void *)name, &size));
	VALUE(size);
	size = -1;
	CALL(getsockname(client, (void *)name, &size));
	close(client);
	close(server);
	close(connection);
}

AREA(tcp_edge)
	T(nobody_listens) T(in_progress) T(address_in_use) T(wrong_state) T(reset) T(unread_data) T(write_after_close)
	T(time_limits) T(nonblocking_fill) T(shutdown_wakes) T(options) T(small_name)
END

/* TCP over the loopback interface: the way it is meant to go. */
#include "inet.h"

static int fds[2];

static void done(void)
{
	close(fds[0]);
	close(fds[1]);
}

static int same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_family == b->sin_family && a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

TEST(connect_and_accept)
{
	struct sockaddr_in name, peer, mine, theirs;
	socklen_t size = sizeof name;
	int server = listener(5), client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(client, port_of(server)));
	int connection = accept4(server, (void *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	VALUE(size);
	VALUE(fcntl(connection, F_GETFL));
	VALUE(fcntl(connection, F_GETFD));
	size = sizeof name;
	CALL(getsockname(client, (void *)&mine, &size));
	CALL(getpeername(client, (void *)&theirs, &size));
	CALL(getsockname(connection, (void *)&name, &size));
	VALUE(same(&peer, &mine));
	VALUE(same(&theirs, &name));
	VALUE(mine.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	VALUE(ntohs(theirs.sin_port) == port_of(server));
	CALL(getpeername(server, (void *)&name, &size));
	close(client);
	close(connection);
	close(server);
}

TEST(echo)
{
	char buffer[32];
	tcp_pair(fds);
	CALL(write(fds[0], "question", 8));
	CALL(read(fds[1], buffer, 32));
	CALL(send(fds[1], "answer", 6, 0));
	CALL(recv(fds[0], buffer, 32, MSG_PEEK));
	int waiting = -1;
	CALL(ioctl(fds[0], FIONREAD, &waiting));
	VALUE(waiting);
	CALL(recv(fds[0], buffer, 32, 0));
	CALL(recv(fds[0], buffer, 32, MSG_DONTWAIT));
	CALL(lseek(fds[0], 0, SEEK_SET));
	done();
}

TEST(half_close)
{
	char buffer[32];
	tcp_pair(fds);
	CALL(write(fds[0], "last words", 10));
	CALL(shutdown(fds[0], SHUT_WR));
	CALL(recv(fds[1], buffer, 32, MSG_WAITALL));
	CALL(read(fds[1], buffer, 32));
	CALL(write(fds[1], "and yet", 7));
	CALL(read(fds[0], buffer, 32));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	close(fds[1]);
	CALL(read(fds[0], buffer, 32));
	CALL(read(fds[0], buffer, 32));
	close(fds[0]);
}

static void *sends_pieces(void *unused)
{
	for (int i = 0; i < 4; i++) {
		if (write(fds[0], "piece", 5) != 5) return (void *)1;
		pause_ms(5);
	}
	return unused;
}

TEST(wait_for_all)
{
	char buffer[32];
	tcp_pair(fds);
	pthread_t thread = start(sends_pieces, 0);
	CALL(recv(fds[1], buffer, 20, MSG_WAITALL));
	VALUE(join(thread));
	CALL(write(fds[0], "abc", 3));
	close(fds[0]);
	CALL(recv(fds[1], buffer, 20, MSG_WAITALL));
	close(fds[1]);
}

static void *returns_all(void *unused)
{
	static char buffer[20000];
	long n, total = 0;
	while ((n = read(fds[1], buffer, sizeof buffer)) > 0) {
		for (long at = 0; at < n;) {
			long sent = write(fds[1], buffer + at, n - at);
			if (sent < 0) return (void *)-1;
			at += sent;
		}
		total += n;
	}
	shutdown(fds[1], SHUT_WR);
	return (void *)(total + (unused != 0));
}

enum { MEGABYTES = 4 };

static void *sends_much(void *unused)
{
	static unsigned char block[1 << 20];
	for (int i = 0; i < MEGABYTES; i++) {
		for (size_t k = 0; k < sizeof block; k++) block[k] = (unsigned char)(k * 31 + k / 257 + i);
		if (write(fds[0], block, sizeof block) != sizeof block) return (void *)1;
	}
	shutdown(fds[0], SHUT_WR);
	return unused;
}

/* Both directions at once, more than any buffer holds. */
TEST(bulk_echo)
{
	static unsigned char buffer[30000];
	long total = 0, wrong = 0, n;
	tcp_pair(fds);
	pthread_t echo = start(returns_all, 0), sender = start(sends_much, 0);
	while ((n = read(fds[0], buffer, sizeof buffer)) > 0) {
		for (long i = 0; i < n; i++) {
			size_t k = (total + i) % (1 << 20);
			wrong += buffer[i] != (unsigned char)(k * 31 + k / 257 + (total + i) / (1 << 20));
		}
		total += n;
	}
	VALUE(n);
	VALUE(total);
	VALUE(wrong);
	VALUE(join(sender));
	VALUE(join(echo));
	done();
}

static void *serves(void *fd)
{
	long served = 0;
	for (int i = 0; i < 100; i++) {
		char byte;
		int connection = accept((int)(intptr_t)fd, 0, 0);
		if (connection < 0) continue;
		if (read(connection, &byte, 1) == 1 && write(connection, &byte, 1) == 1) served++;
		close(connection);
	}
	return (void *)served;
}

static void *asks(void *port)
{
	long right = 0;
	for (int i = 0; i < 25; i++) {
		char byte = (char)i;
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect_to(fd, (int)(intptr_t)port)) say("connect: %s", errname(errno));
		if (write(fd, &byte, 1) != 1) say("write: %s", errname(errno));
		byte = 77;
		long n = read(fd, &byte, 1);
		right += n == 1 && byte == (char)i;
		close(fd);
	}
	return (void *)right;
}

TEST(many_connections)
{
	pthread_t clients[4];
	int server = listener(16);
	pthread_t thread = start(serves, (void *)(intptr_t)server);
	for (int i = 0; i < 4; i++) clients[i] = start(asks, (void *)(intptr_t)port_of(server));
	for (int i = 0; i < 4; i++) VALUE(join(clients[i]));
	VALUE(join(thread));
	close(server);
}

/* Connections wait in the backlog, with their data, until they are accepted. */
TEST(backlog)
{
	int server = listener(8), clients[8];
	for (int i = 0; i < 8; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		CALL(connect_to(clients[i], port_of(server)));
		CALL(write(clients[i], &"abcdefgh"[i], 1));
	}
	char letters[9] = { 0 };
	for (int i = 0; i < 8; i++) {
		int connection = accept(server, 0, 0);
		if (read(connection, letters + i, 1) != 1) say("nothing to read");
		close(connection);
		close(clients[i]);
	}
	say("'%s'", letters);
	fcntl(server, F_SETFL, O_NONBLOCK);
	CALL(accept(server, 0, 0));
	close(server);
}

/* What was written before close(2) arrives, and then the end. */
static void *writes_and_closes(void *unused)
{
	static char block[300000];
	long n = write(fds[0], block, sizeof block);
	close(fds[0]);
	return (void *)(n + (unused != 0));
}

TEST(close_sends_all)
{
	static char buffer[10000];
	long total = 0, n;
	tcp_pair(fds);
	pthread_t thread = start(writes_and_closes, 0);
	pause_ms(20);
	while ((n = read(fds[1], buffer, sizeof buffer)) > 0) total += n;
	VALUE(n);
	VALUE(total);
	VALUE(join(thread));
	close(fds[1]);
}

/* Waits for one of the events, if there are any. */
static void look(const char *when, int fd, short events)
{
	struct pollfd p = { fd, events, 0 };
	int count = poll(&p, 1, events ? -1 : 0);
	say("%s: %d, %#x", when, count, p.revents);
}

TEST(readiness)
{
	char buffer[8];
	int server = listener(4), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	look("not connected", client, 0);
	begin_connect(client, port_of(server));
	look("connected", client, POLLOUT);
	VALUE(socket_error(client));
	look("waiting", server, POLLIN);
	int connection = accept(server, 0, 0);
	look("writable", connection, POLLIN | POLLOUT);
	CALL(write(client, "x", 1));
	look("readable", connection, POLLIN);
	CALL(shutdown(client, SHUT_WR));
	CALL(read(connection, buffer, 8));
	/* It may take its time to come. */
	poll(&(struct pollfd){ .fd = connection, .events = POLLRDHUP }, 1, -1);
	look("end", connection, POLLIN | POLLOUT | POLLRDHUP);
	CALL(shutdown(connection, SHUT_WR));
	look("both ends", connection, POLLIN | POLLOUT | POLLRDHUP);
	look("both ends", client, POLLIN);
	close(client);
	close(connection);
	close(server);
}

AREA(tcp)
	T(connect_and_accept) T(echo) T(half_close) T(wait_for_all) T(bulk_echo) T(many_connections) T(backlog)
	T(close_sends_all) T(readiness)
END

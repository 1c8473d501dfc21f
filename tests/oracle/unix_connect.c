/* Connections to named AF_UNIX sockets. */
#include "unix.h"
#include <sys/epoll.h>

static const int kinds[] = { SOCK_STREAM, SOCK_SEQPACKET };

TEST(accepted)
{
	in_empty_directory();
	char buffer[16];
	for (int i = 0; i < 2; i++) {
		VALUE(i);
		int fd = listening(kinds[i], "socket", 1), value = -1;
		socklen_t size = sizeof value;
		CALL(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
		VALUE(value);
		say_events(fd);
		int client = connected(kinds[i], "socket");
		say_events(fd);
		say_events(client);
		say_name(client);
		say_peer(client);
		CALL(send(client, "early", 5, 0));
		struct sockaddr_un address;
		size = sizeof address;
		int server = accept(fd, (void *)&address, &size);
		say_address("accepted", &address, size);
		say_events(fd);
		say_name(server);
		say_peer(server);
		say_received(server);
		CALL(send(server, "late", 4, 0));
		say_received(client);
		CALL(bind_to_name(client, "@client"));
		say_peer(server);
		CALL(send(client, "named", 5, 0));
		say_received(server);
		CALL(bind_to_name(server, "@server"));
		CALL(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
		VALUE(value);
		CALL(listen(server, 1));
		CALL(listen(client, 1));
		CALL(connect_to_name(client, "socket"));
		CALL(connect_to_name(server, "socket"));
		CALL(connect_to_name(fd, "socket"));
		CALL(send_to_name(client, "socket", "x"));
		CALL(read(server, buffer, 16 * i));
		CALL(read(fd, buffer, 16));
		CALL(send(fd, "x", 1, MSG_NOSIGNAL));
		CALL(accept(client, 0, 0));
		close(client);
		say_events(server);
		say_peer(server);
		CALL(read(server, buffer, 16));
		CALL(send(server, "x", 1, MSG_NOSIGNAL));
		close(server);
		close(fd);
		CALL(unlink("socket"));
	}
}

/* One more than the number given fits in. */
TEST(backlog)
{
	in_empty_directory();
	for (int i = 0; i < 2; i++) {
		VALUE(i);
		int fd = listening(kinds[i] | SOCK_NONBLOCK, "socket", 1), clients[4], value = -1;
		socklen_t size = sizeof value;
		struct timeval limit = { 0, 20000 };
		CALL(accept(fd, 0, 0));
		for (int n = 0; n < 4; n++) {
			clients[n] = socket(AF_UNIX, kinds[i] | SOCK_NONBLOCK, 0);
			CALL(connect_to_name(clients[n], "socket"));
		}
		say_events(clients[2]);
		CALL(connect_to_name(clients[0], "socket"));
		CALL(fcntl(clients[2], F_SETFL, 0));
		CALL(setsockopt(clients[2], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
		int64_t before = now();
		CALL(connect_to_name(clients[2], "socket"));
		VALUE(now() - before >= 20 * MS);
		int server = accept4(fd, 0, 0, SOCK_NONBLOCK);
		VALUE(fcntl(server, F_GETFL) == (O_RDWR | O_NONBLOCK));
		CALL(connect_to_name(clients[2], "socket"));
		CALL(connect_to_name(clients[3], "socket"));
		CALL(listen(fd, 2));
		CALL(connect_to_name(clients[3], "socket"));
		close(server);
		CALL(read(clients[0], &value, 1));
		CALL(send(clients[1], "unread", 6, 0));
		/* Those that were not accepted. */
		close(fd);
		say_events(clients[1]);
		CALL(getsockopt(clients[1], SOL_SOCKET, SO_ERROR, &value, &size));
		VALUE(value == ECONNRESET);
		CALL(read(clients[1], &value, 1));
		CALL(read(clients[3], &value, 1));
		CALL(read(clients[3], &value, 1));
		CALL(send(clients[3], "x", 1, MSG_NOSIGNAL));
		for (int n = 0; n < 4; n++) close(clients[n]);
		CALL(connect_to_name(fd = socket(AF_UNIX, kinds[i], 0), "socket"));
		close(fd);
		CALL(unlink("socket"));
	}
}

/* A client that is gone before it is accepted. */
TEST(too_late)
{
	char buffer[8];
	for (int i = 0; i < 2; i++) {
		int fd = listening(kinds[i], "@late", 4);
		int client = bound(kinds[i], "@client");
		CALL(connect_to_name(client, "@late"));
		CALL(send(client, "last", 4, 0));
		close(client);
		say_events(fd);
		int server = accept(fd, 0, 0);
		say_peer(server);
		say_events(server);
		CALL(read(server, buffer, 8));
		CALL(read(server, buffer, 8));
		CALL(send(server, "x", 1, MSG_NOSIGNAL));
		close(server);
		close(fd);
	}
}

static int listener, client;

static void *accepts(void *unused)
{
	int server = accept(listener, 0, 0);
	if (server < 0) say("accept: %s", errname(errno));
	else {
		CALL(send(server, "hello", 5, 0));
		close(server);
	}
	return unused;
}

static void *connects(void *unused)
{
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "@wait"));
	return unused;
}

TEST(waiting)
{
	char buffer[8];
	listener = listening(SOCK_STREAM, "@wait", 0);
	pthread_t thread = start(accepts, 0);
	let_it_block();
	int fd = connected(SOCK_STREAM, "@wait");
	join(thread);
	CALL(read(fd, buffer, 8));
	close(fd);
	fd = connected(SOCK_STREAM, "@wait");
	thread = start(connects, 0);
	let_it_block();
	int server = accept(listener, 0, 0);
	join(thread);
	say_peer(client);
	close(client);
	close(server);
	close(fd);
	CALL(close(accept(listener, 0, 0)) * 0);
	fd = connected(SOCK_STREAM, "@wait");
	thread = start(connects, 0);
	let_it_block();
	close(listener);
	join(thread);
	close(client);
	close(fd);
	listener = listening(SOCK_STREAM, "@wait", 0);
	thread = start(accepts, 0);
	let_it_block();
	int result = shutdown(listener, SHUT_RDWR);
	join(thread);
	VALUE(result);
	say_events(listener);
	CALL(connect_to_name(client = socket(AF_UNIX, SOCK_STREAM, 0), "@wait"));
	close(client);
	close(listener);
	struct timeval limit = { 0, 20000 };
	listener = listening(SOCK_STREAM, "@wait", 0);
	CALL(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CALL(accept(listener, 0, 0));
	close(listener);
}

/* Events as they come, of a listener and of what connects to it. */
TEST(watched)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int epoll = epoll_create1(0), fd = bound(SOCK_STREAM, "@watch"), other = socket(AF_UNIX, SOCK_STREAM, 0);
	event.data.fd = 1;
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	CALL(epoll_wait(epoll, &event, 1, 0));
	say("events %#x", event.events);
	CALL(listen(fd, 4));
	CALL(epoll_wait(epoll, &event, 1, 0));
	CALL(connect_to_name(other, "@watch"));
	CALL(epoll_wait(epoll, &event, 1, -1));
	say("events %#x", event.events);
	CALL(epoll_wait(epoll, &event, 1, 0));
	int third = connected(SOCK_STREAM, "@watch");
	CALL(epoll_wait(epoll, &event, 1, -1));
	say("events %#x", event.events);
	int server = accept(fd, 0, 0);
	event = (struct epoll_event){ .events = EPOLLIN | EPOLLRDHUP };
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event));
	CALL(epoll_wait(epoll, &event, 1, 0));
	close(other);
	CALL(epoll_wait(epoll, &event, 1, -1));
	say("events %#x", event.events);
	close(server);
	close(third);
	close(fd);
	close(epoll);
}

static void *echoes(void *unused)
{
	char buffer[64];
	for (int i = 0; i < 200; i++) {
		int server = accept(listener, 0, 0);
		long n;
		while ((n = read(server, buffer, sizeof buffer)) > 0) write(server, buffer, n);
		close(server);
	}
	return unused;
}

static void *asks(void *unused)
{
	char buffer[64];
	long wrong = 0;
	for (int i = 0; i < 50; i++) {
		int fd = connected(SOCK_STREAM, "busy");
		if (write(fd, "question", 8) != 8 || read(fd, buffer, 64) != 8 || memcmp(buffer, "question", 8)) wrong++;
		close(fd);
	}
	return (char *)unused + wrong;
}

/* More clients than the backlog has room for. */
TEST(busy)
{
	in_empty_directory();
	pthread_t threads[4];
	listener = listening(SOCK_STREAM, "busy", 0);
	pthread_t server = start(echoes, 0);
	for (int i = 0; i < 4; i++) threads[i] = start(asks, 0);
	for (int i = 0; i < 4; i++) VALUE(join(threads[i]));
	join(server);
	close(listener);
}

/* Descriptors sent over a connection, the listener's own among them. */
TEST(descriptors)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	char byte = 'd';
	int fd = listening(SOCK_STREAM, "@pass", 4), out = connected(SOCK_STREAM, "@pass"), in = accept(fd, 0, 0), got = -1;
	struct iovec part = { &byte, 1 };
	struct sockaddr_un from = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	CALL(sendmsg(in, &message, 0));
	close(fd);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "@pass"));
	message.msg_name = &from;
	message.msg_namelen = sizeof from;
	CALL(recvmsg(out, &message, 0));
	say_address("from", &from, message.msg_namelen);
	head = CMSG_FIRSTHDR(&message);
	if (head) memcpy(&got, CMSG_DATA(head), sizeof got);
	say_name(got);
	CALL(close(accept(got, 0, 0)) * 0);
	CALL(read(client, &byte, 1));
	close(got);
	close(client);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "@pass"));
	close(client);
	close(in);
	close(out);
}

AREA(unix_connect)
	T(accepted) T(backlog) T(too_late) T(waiting) T(watched) T(busy) T(descriptors)
END

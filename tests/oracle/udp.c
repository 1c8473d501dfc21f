/* UDP over the loopback interface. */
#include "inet.h"
#include <sys/uio.h>

static int bound(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind_to(fd, 0)) say("not bound: %s", errname(errno));
	return fd;
}

static long send_to(int fd, const char *text, int to)
{
	struct sockaddr_in name = loopback(port_of(to));
	return sendto(fd, text, strlen(text), 0, (void *)&name, sizeof name);
}

/* Waits for something to read. */
static int arrives(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	return poll(&p, 1, -1);
}

TEST(datagrams)
{
	char buffer[16] = { 0 };
	int a = bound(), b = bound();
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	CALL(send_to(a, "first", b));
	CALL(send_to(a, "", b));
	CALL(send_to(a, "third and long", b));
	VALUE(arrives(b));
	CALL(recvfrom(b, buffer, 16, 0, (void *)&from, &size));
	say("'%s' from the sender %d, size %d", buffer, ntohs(from.sin_port) == port_of(a), (int)size);
	CALL(recv(b, buffer, 16, MSG_PEEK));
	CALL(recv(b, buffer, 16, 0));
	CALL(recv(b, buffer, 5, MSG_TRUNC));
	CALL(recv(b, buffer, 16, MSG_DONTWAIT));
	close(a);
	close(b);
}

TEST(connected)
{
	char buffer[16];
	int a = bound(), b = bound(), c = bound();
	struct sockaddr_in name;
	socklen_t size = sizeof name;
	CALL(send(a, "x", 1, 0));
	CALL(connect_to(a, port_of(b)));
	CALL(getpeername(a, (void *)&name, &size));
	VALUE(ntohs(name.sin_port) == port_of(b));
	CALL(send(a, "for b", 5, 0));
	VALUE(arrives(b));
	CALL(recv(b, buffer, 16, 0));
	/* Only the peer is heard. */
	CALL(send_to(c, "stranger", a));
	CALL(send_to(b, "friend", a));
	VALUE(arrives(a));
	CALL(recv(a, buffer, 16, 0));
	CALL(recv(a, buffer, 16, MSG_DONTWAIT));
	/* No more. */
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	CALL(connect(a, &nobody, sizeof nobody));
	CALL(getpeername(a, (void *)&name, &size));
	close(a);
	close(b);
	close(c);
}

TEST(nobody_there)
{
	int a = bound(), b = bound(), port = port_of(b);
	close(b);
	char byte;
	struct timeval limit = { 1, 0 };
	setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	CALL(connect_to(a, port));
	CALL(send(a, "x", 1, 0));
	CALL(recv(a, &byte, 1, 0));
	VALUE(socket_error(a));
	close(a);
}

TEST(scattered)
{
	char head[4] = { 0 }, tail[16] = { 0 };
	int a = bound(), b = bound();
	struct sockaddr_in to = loopback(port_of(b)), from;
	struct iovec out[2] = { { "abc", 3 }, { "defgh", 5 } }, in[2] = { { head, 3 }, { tail, 3 } };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = out, .msg_iovlen = 2 };
	CALL(sendmsg(a, &message, 0));
	VALUE(arrives(b));
	message = (struct msghdr){ .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = in, .msg_iovlen = 2 };
	CALL(recvmsg(b, &message, 0));
	say("'%s' '%s', cut %d, name %d", head, tail, (message.msg_flags & MSG_TRUNC) != 0, (int)message.msg_namelen);
	close(a);
	close(b);
}

/* Receives, and says what ancillary data came. */
static void say_service(int fd)
{
	char byte, control[256];
	struct iovec in = { &byte, 1 };
	struct msghdr message = { .msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	VALUE(arrives(fd));
	CALL(recvmsg(fd, &message, 0));
	for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
		int value = one->cmsg_len == CMSG_LEN(1) ? *CMSG_DATA(one) : *(int *)CMSG_DATA(one);
		say("level %d type %d size %d: %d", one->cmsg_level, one->cmsg_type, (int)one->cmsg_len, value);
	}
}

/* Sends one byte with one piece of ancillary data. */
static long send_service(int fd, int to, int type, const void *data, int size)
{
	char control[64] = { 0 }, byte = 'x';
	struct sockaddr_in name = loopback(port_of(to));
	struct iovec out = { &byte, 1 };
	struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &out, .msg_iovlen = 1 };
	message.msg_control = control;
	message.msg_controllen = CMSG_SPACE(size);
	struct cmsghdr *one = CMSG_FIRSTHDR(&message);
	one->cmsg_level = IPPROTO_IP;
	one->cmsg_type = type;
	one->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(one), data, size);
	return sendmsg(fd, &message, 0);
}

TEST(service)
{
	int a = bound(), b = bound(), on = 1, tos = 0x10, ttl = 99, none = 0;
	unsigned char byte = 0x20;
	CALL(setsockopt(b, IPPROTO_IP, IP_RECVTTL, &on, sizeof on));
	CALL(setsockopt(b, IPPROTO_IP, IP_RECVTOS, &on, sizeof on));
	CALL(send_to(a, "x", b));
	say_service(b);
	CALL(setsockopt(a, IPPROTO_IP, IP_TOS, &tos, sizeof tos));
	CALL(setsockopt(a, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl));
	CALL(send_to(a, "x", b));
	say_service(b);
	tos = 8;
	ttl = 7;
	CALL(send_service(a, b, IP_TOS, &tos, sizeof tos));
	say_service(b);
	CALL(send_service(a, b, IP_TOS, &byte, 1));
	say_service(b);
	CALL(send_service(a, b, IP_TTL, &ttl, sizeof ttl));
	say_service(b);
	CALL(send_service(a, b, IP_TTL, &none, sizeof none));
	CALL(send_service(a, b, IP_TTL, &byte, 1));
	CALL(send_service(a, b, 99, &ttl, sizeof ttl));
	close(a);
	close(b);
}

TEST(sizes)
{
	static char block[70000];
	int a = bound(), b = bound();
	struct sockaddr_in to = loopback(port_of(b));
	for (int size = 1000; size <= 8000; size += 1000) {
		CALL(sendto(a, block, size, 0, (void *)&to, sizeof to));
		if (arrives(b)) VALUE(recv(b, block, sizeof block, 0));
	}
	CALL(sendto(a, block, 65508, 0, (void *)&to, sizeof to));
	CALL(sendto(a, block, 1, 0, (void *)&to, 3));
	to.sin_port = 0;
	CALL(sendto(a, block, 1, 0, (void *)&to, sizeof to));
	close(a);
	close(b);
}

TEST(largest)
{
	static char block[65507];
	int a = bound(), b = bound();
	struct sockaddr_in to = loopback(port_of(b));
	if (CALL(sendto(a, block, sizeof block, 0, (void *)&to, sizeof to)) > 0 && arrives(b))
		CALL(recv(b, block, sizeof block, 0));
	close(a);
	close(b);
}

TEST(names)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = bound(), port = port_of(b);
	VALUE(port_of(a));
	CALL(send_to(a, "x", b));
	VALUE(port_of(a) > 0);
	CALL(bind_to(a, 0));
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(bind_to(c, port));
	CALL(listen(c, 1));
	CALL(accept(c, 0, 0));
	CALL(shutdown(c, SHUT_RD));
	close(a);
	close(b);
	close(c);
}

static int own;

static void *sends_numbers(void *to)
{
	struct sockaddr_in name = loopback((int)(intptr_t)to);
	for (int i = 0; i < 500; i++) {
		if (sendto(own, &i, sizeof i, 0, (void *)&name, sizeof name) != sizeof i) return (void *)1;
		/* No flow control: each waits for its answer. */
		int back = -1;
		if (recv(own, &back, sizeof back, 0) != sizeof back || back != i) return (void *)2;
	}
	return 0;
}

TEST(ping_pong)
{
	int server = bound();
	own = bound();
	pthread_t thread = start(sends_numbers, (void *)(intptr_t)port_of(server));
	for (int i = 0; i < 500; i++) {
		int number;
		struct sockaddr_in from;
		socklen_t size = sizeof from;
		if (recvfrom(server, &number, sizeof number, 0, (void *)&from, &size) != sizeof number) break;
		sendto(server, &number, sizeof number, 0, (void *)&from, size);
	}
	VALUE(join(thread));
	close(server);
	close(own);
}

AREA(udp)
	T(datagrams) T(connected) T(nobody_there) T(scattered) T(service) T(sizes) T(largest) T(names) T(ping_pong)
END

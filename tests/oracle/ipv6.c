/* IPv6 over the loopback interface, and sockets of both families. */
#include "inet.h"
#include <sys/uio.h>

static struct sockaddr_in6 at(const char *address, int port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	inet_pton(AF_INET6, address, &name.sin6_addr);
	return name;
}

static long bind6(int fd, const char *address, int port)
{
	struct sockaddr_in6 name = at(address, port);
	return bind(fd, (void *)&name, sizeof name);
}

static long connect6(int fd, const char *address, int port)
{
	struct sockaddr_in6 name = at(address, port);
	return connect(fd, (void *)&name, sizeof name);
}

static long send6(int fd, const char *text, const char *address, int port)
{
	struct sockaddr_in6 name = at(address, port);
	return sendto(fd, text, strlen(text), 0, (void *)&name, sizeof name);
}

static long only(int fd, int on)
{
	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

/* Says an address, but for its port. */
static void say_name(const char *what, int fd, int get(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in6 name = { 0 };
	socklen_t size = sizeof name;
	char text[64] = "";
	if (get(fd, (void *)&name, &size)) {
		say("%s: %s", what, errname(errno));
		return;
	}
	inet_ntop(AF_INET6, &name.sin6_addr, text, sizeof text);
	say("%s: family %d size %d %s scope %d", what, name.sin6_family, (int)size, text, (int)name.sin6_scope_id);
}

/* The port of a socket, wherever the family has it. */
static int port6(int fd)
{
	struct sockaddr_in6 name = { 0 };
	socklen_t size = sizeof name;
	return getsockname(fd, (void *)&name, &size) ? -1 : ntohs(name.sin6_port);
}

static int listener6(const char *address, int v6only)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	only(fd, v6only);
	if (bind6(fd, address, 0) || listen(fd, 8)) say("no listener: %s", errname(errno));
	return fd;
}

static int arrives(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	return poll(&p, 1, -1);
}

/* Says so where the system has no IPv6; a container may be without. */
static int absent(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), none = fd < 0 || bind6(fd, "::1", 0);
	if (fd >= 0) close(fd);
	if (none) say("not here");
	return none;
}

TEST(stream)
{
	if (absent()) return;
	char buffer[16] = { 0 };
	int server = listener6("::1", 0), client = socket(AF_INET6, SOCK_STREAM, 0);
	say_name("unbound", client, getsockname);
	CALL(connect6(client, "::1", port6(server)));
	int end = accept(server, 0, 0);
	say_name("client", client, getsockname);
	say_name("client's peer", client, getpeername);
	say_name("server", end, getsockname);
	CALL(send(client, "hello", 5, 0));
	VALUE(arrives(end));
	CALL(recv(end, buffer, 16, 0));
	VALUE(strcmp(buffer, "hello"));
	CALL(shutdown(client, SHUT_WR));
	VALUE(arrives(end));
	CALL(recv(end, buffer, 16, 0));
	close(client);
	close(end);
	close(server);
}

TEST(both_families)
{
	if (absent()) return;
	int server = listener6("::", 0), client = socket(AF_INET, SOCK_STREAM, 0);
	say_name("server", server, getsockname);
	CALL(connect_to(client, port6(server)));
	int end = accept(server, 0, 0);
	say_name("end", end, getsockname);
	say_name("peer", end, getpeername);
	close(client);
	close(end);
	client = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(connect6(client, "::ffff:127.0.0.1", port6(server)));
	end = accept(server, 0, 0);
	say_name("client", client, getsockname);
	say_name("peer", end, getpeername);
	close(client);
	close(end);
	client = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(connect6(client, "::", port6(server)));
	say_name("peer of ::", client, getsockname);
	close(client);
	close(server);
}

TEST(one_family)
{
	if (absent()) return;
	int server = listener6("::", 1), port = port6(server), value = -1;
	socklen_t size = sizeof value;
	CALL(getsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size));
	VALUE(value);
	CALL(only(server, 0));
	int plain = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(plain, port));
	close(plain);
	plain = socket(AF_INET, SOCK_STREAM, 0);
	/* The port is free for the other family. */
	CALL(bind_to(plain, port));
	int client = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(only(client, 1));
	CALL(connect6(client, "::ffff:127.0.0.1", port));
	CALL(bind6(client, "::ffff:127.0.0.1", 0));
	CALL(only(plain, 1));
	CALL(getsockopt(plain, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size));
	close(client);
	close(plain);
	close(server);
}

TEST(names)
{
	if (absent()) return;
	int a = socket(AF_INET6, SOCK_STREAM, 0), b = socket(AF_INET6, SOCK_STREAM, 0), plain = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in v4 = loopback(0);
	struct sockaddr_in6 v6 = at("::1", 0);
	CALL(bind(a, (void *)&v6, sizeof v6 - 8));
	CALL(bind6(a, "2001:db8::7", 0));
	CALL(bind6(a, "fe80::1", 0));
	CALL(bind6(a, "::ffff:127.0.0.1", 0));
	say_name("mapped", a, getsockname);
	CALL(bind6(b, "::1", port6(a)));
	CALL(bind(plain, (void *)&v6, sizeof v6));
	CALL(connect(plain, (void *)&v6, sizeof v6));
	/* A whole address of the other family. */
	struct sockaddr_storage wide = { 0 };
	memcpy(&wide, &v4, sizeof v4);
	int c = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(bind(c, (void *)&wide, sizeof v6));
	CALL(connect(c, (void *)&wide, sizeof v6));
	CALL(socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
	CALL(socketpair(AF_INET6, SOCK_STREAM, 0, (int[2]){ 0 }));
	int domain = 0;
	socklen_t size = sizeof domain;
	CALL(getsockopt(c, SOL_SOCKET, SO_DOMAIN, &domain, &size));
	VALUE(domain);
	close(a);
	close(b);
	close(c);
	close(plain);
}

TEST(conflicts)
{
	if (absent()) return;
	int all = listener6("::", 0), port = port6(all);
	int plain = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(bind_to(plain, port));
	CALL(bind6(own, "::1", port));
	close(all);
	CALL(bind_to(plain, port));
	CALL(bind6(own, "::1", port));
	int other = socket(AF_INET6, SOCK_STREAM, 0);
	CALL(bind6(other, "::", port));
	close(other);
	close(plain);
	close(own);
}

TEST(datagrams)
{
	if (absent()) return;
	char buffer[16] = { 0 };
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0), plain = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(bind6(b, "::", 0));
	CALL(send6(a, "one", "::1", port6(b)));
	VALUE(arrives(b));
	struct sockaddr_in6 from;
	socklen_t size = sizeof from;
	CALL(recvfrom(b, buffer, 16, 0, (void *)&from, &size));
	char text[64];
	say("from %s, size %d", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), (int)size);
	CALL(bind_to(plain, 0));
	struct sockaddr_in to = loopback(port6(b));
	CALL(sendto(a, "of AF_INET", 10, 0, (void *)&to, sizeof to));
	VALUE(arrives(b));
	CALL(recv(b, buffer, 16, 0));
	CALL(sendto(plain, "two", 3, 0, (void *)&to, sizeof to));
	VALUE(arrives(b));
	size = sizeof from;
	CALL(recvfrom(b, buffer, 16, 0, (void *)&from, &size));
	say("from %s, size %d", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), (int)size);
	CALL(sendto(b, "three", 5, 0, (void *)&from, size));
	VALUE(arrives(plain));
	CALL(recv(plain, buffer, 16, 0));
	CALL(connect6(a, "::1", port6(b)));
	say_name("connected", a, getsockname);
	say_name("peer", a, getpeername);
	close(b);
	CALL(send(a, "four", 4, 0));
	VALUE(arrives(a));
	CALL(recv(a, buffer, 16, 0));
	close(a);
	close(plain);
}

TEST(service)
{
	if (absent()) return;
	char byte, control[256];
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0), on = 1, class = 0x20, hops = 9, wrong = 256;
	bind6(b, "::1", 0);
	CALL(setsockopt(b, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on));
	CALL(setsockopt(b, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on));
	CALL(setsockopt(a, IPPROTO_IPV6, IPV6_TCLASS, &wrong, sizeof wrong));
	CALL(setsockopt(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &wrong, sizeof wrong));
	for (int turn = 0; turn < 2; turn++) {
		CALL(send6(a, "x", "::1", port6(b)));
		struct iovec in = { &byte, 1 };
		struct msghdr message = { .msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
		VALUE(arrives(b));
		CALL(recvmsg(b, &message, 0));
		for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one))
			say("level %d type %d size %d: %d", one->cmsg_level, one->cmsg_type, (int)one->cmsg_len, *(int *)CMSG_DATA(one));
		CALL(setsockopt(a, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class));
		CALL(setsockopt(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops));
	}
	close(a);
	close(b);
}

TEST(largest)
{
	if (absent()) return;
	static char block[65507];
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
	bind6(b, "::1", 0);
	struct sockaddr_in6 to = at("::1", port6(b));
	for (int size = 1000; size < 65000; size *= 2) {
		CALL(sendto(a, block, size, 0, (void *)&to, sizeof to));
		if (arrives(b)) VALUE(recv(b, block, sizeof block, 0));
	}
	if (CALL(sendto(a, block, sizeof block, 0, (void *)&to, sizeof to)) > 0 && arrives(b))
		CALL(recv(b, block, sizeof block, 0));
	close(a);
	close(b);
}

AREA(ipv6)
	T(stream) T(both_families) T(one_family) T(names) T(conflicts) T(datagrams) T(service) T(largest)
END

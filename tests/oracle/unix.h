/* Names of AF_UNIX sockets: a path, @ before an abstract name, and nothing for the family alone. */
#ifndef UNIX_H
#define UNIX_H

#include "oracle.h"
#include <stddef.h>
#include <sys/un.h>

/* Abstract names are those of the whole machine: the process id keeps programs that run at the same time apart. */
static inline socklen_t unix_address(struct sockaddr_un *address, const char *name)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	size_t head = offsetof(struct sockaddr_un, sun_path);
	if (!*name) return head;
	if (*name == '@') return head + 1 + sprintf(address->sun_path + 1, "%d-%s", (int)getpid(), name + 1);
	strncpy(address->sun_path, name, sizeof address->sun_path);
	return head + strnlen(address->sun_path, sizeof address->sun_path - 1) + 1;
}

static inline long bind_to_name(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(&address, name);
	return bind(fd, (void *)&address, size);
}

static inline long connect_to_name(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(&address, name);
	return connect(fd, (void *)&address, size);
}

static inline long send_to_name(int fd, const char *name, const char *text)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(&address, name);
	return sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&address, size);
}

/* Prints an address as the functions above take it. */
static inline void say_address(const char *what, const struct sockaddr_un *address, socklen_t size)
{
	char prefix[32];
	size_t head = offsetof(struct sockaddr_un, sun_path), own = sprintf(prefix, "%d-", (int)getpid());
	const char *path = address->sun_path;
	if (size == 0) say("%s: none", what);
	else if (address->sun_family != AF_UNIX) say("%s: family %d", what, address->sun_family);
	else if (size == head) say("%s: unnamed", what);
	else if (path[0]) say("%s: %s, size %d", what, path, (int)size);
	else if (size > head + own && !memcmp(path + 1, prefix, own))
		say("%s: @%.*s", what, (int)(size - head - 1 - own), path + 1 + own);
	else say("%s: chosen, size %d, digits %d", what, (int)size, (int)strspn(path + 1, "0123456789abcdef"));
}

static inline void say_name(int fd)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof address;
	if (getsockname(fd, (void *)&address, &size)) say("name: %s", errname(errno));
	else say_address("name", &address, size);
}

static inline void say_peer(int fd)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof address;
	if (getpeername(fd, (void *)&address, &size)) say("peer: %s", errname(errno));
	else say_address("peer", &address, size);
}

/* Receives without waiting, and prints what came and from where. */
static inline void say_received(int fd)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof address;
	char buffer[32];
	long n = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT, (void *)&address, &size);
	if (n < 0) {
		say("received: %s", errname(errno));
		return;
	}
	say("received %ld '%.*s'", n, (int)n, buffer);
	say_address("from", &address, size);
}

static inline int bound(int type, const char *name)
{
	int fd = socket(AF_UNIX, type, 0);
	if (fd < 0 || bind_to_name(fd, name)) say("cannot bind %s: %s", name, errname(errno));
	return fd;
}

static inline int listening(int type, const char *name, int backlog)
{
	int fd = bound(type, name);
	if (listen(fd, backlog)) say("cannot listen: %s", errname(errno));
	return fd;
}

static inline int connected(int type, const char *name)
{
	int fd = socket(AF_UNIX, type, 0);
	if (fd < 0 || connect_to_name(fd, name)) say("cannot connect to %s: %s", name, errname(errno));
	return fd;
}

static inline void say_events(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	poll(&one, 1, 0);
	say("events %#x", one.revents);
}

#endif

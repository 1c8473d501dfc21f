/* Addresses on the loopback interface. */
#ifndef INET_H
#define INET_H

#include "oracle.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

static inline struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

/* The port a socket is bound to. */
static inline int port_of(int fd)
{
	struct sockaddr_in name = { 0 };
	socklen_t size = sizeof name;
	return getsockname(fd, (void *)&name, &size) ? -1 : ntohs(name.sin_port);
}

static inline long bind_to(int fd, int port)
{
	struct sockaddr_in name = loopback(port);
	return bind(fd, (void *)&name, sizeof name);
}

static inline long connect_to(int fd, int port)
{
	struct sockaddr_in name = loopback(port);
	return connect(fd, (void *)&name, sizeof name);
}

/* connect(2) that must not block: Linux never has the answer at once, others may have it over loopback. */
static inline void begin_connect(int fd, int port)
{
	if (connect_to(fd, port) && errno != EINPROGRESS) say("connect: %s", errname(errno));
}

/* A TCP socket that listens on a port of the system's choice. */
static inline int listener(int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind_to(fd, 0) || listen(fd, backlog)) say("no listener: %s", errname(errno));
	return fd;
}

/* A connected pair of TCP sockets. */
static inline void tcp_pair(int pair[2])
{
	int server = listener(4);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect_to(pair[0], port_of(server))) say("no connection: %s", errname(errno));
	pair[1] = accept(server, 0, 0);
	if (pair[1] < 0) say("not accepted: %s", errname(errno));
	close(server);
}

/* The pending error of a socket. */
static inline int socket_error(int fd)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size) ? -1 : value;
}

#endif

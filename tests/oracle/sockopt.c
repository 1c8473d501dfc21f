/* The options that OTP's socket modules can get or set, and what some of them do. */
#include "inet.h"
#include <netinet/ip.h>

struct option {
	int level;
	int name;
	const char *text;
};

#define OPTION(level, name) { level, name, #name }

/* Left out: what only root may set, what hangs on the machine's memory, what differs from Linux to Linux, and what the README says is
 * refused. */
static const struct option of_sockets[] = {
	OPTION(SOL_SOCKET, SO_ACCEPTCONN),
	OPTION(SOL_SOCKET, SO_BROADCAST),
	OPTION(SOL_SOCKET, SO_DOMAIN),
	OPTION(SOL_SOCKET, SO_DONTROUTE),
	OPTION(SOL_SOCKET, SO_ERROR),
	OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_LINGER),
	OPTION(SOL_SOCKET, SO_OOBINLINE),
	OPTION(SOL_SOCKET, SO_PRIORITY),
	OPTION(SOL_SOCKET, SO_PROTOCOL),
	OPTION(SOL_SOCKET, SO_RCVLOWAT),
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_REUSEPORT),
	OPTION(SOL_SOCKET, SO_SNDLOWAT),
	OPTION(SOL_SOCKET, SO_TIMESTAMP),
	OPTION(SOL_SOCKET, SO_TYPE),
	{ 0 },
};

static const struct option of_ip[] = {
	OPTION(IPPROTO_IP, IP_HDRINCL),
	OPTION(IPPROTO_IP, IP_MTU),
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
	OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
	OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
	OPTION(IPPROTO_IP, IP_NODEFRAG),
	OPTION(IPPROTO_IP, IP_PKTINFO),
	OPTION(IPPROTO_IP, IP_RECVOPTS),
	OPTION(IPPROTO_IP, IP_RECVORIGDSTADDR),
	OPTION(IPPROTO_IP, IP_RECVTOS),
	OPTION(IPPROTO_IP, IP_RECVTTL),
	OPTION(IPPROTO_IP, IP_RETOPTS),
	OPTION(IPPROTO_IP, IP_ROUTER_ALERT),
	OPTION(IPPROTO_IP, IP_TOS),
	OPTION(IPPROTO_IP, IP_TTL),
	{ 0 },
};

static const struct option of_ipv6[] = {
	OPTION(IPPROTO_IPV6, IPV6_CHECKSUM),
	OPTION(IPPROTO_IPV6, IPV6_MTU),
	OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
	OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	{ 0 },
};

static const struct option of_tcp[] = {
	OPTION(IPPROTO_TCP, TCP_CORK),
	OPTION(IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(IPPROTO_TCP, TCP_LINGER2),
	OPTION(IPPROTO_TCP, TCP_MAXSEG),
	OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_TCP, TCP_SYNCNT),
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	{ 0 },
};

static const char *got(int fd, const struct option *option)
{
	static char text[2][40];
	static int turn;
	char *out = text[turn ^= 1];
	int value[4] = { 0 };
	socklen_t size = sizeof value;
	if (getsockopt(fd, option->level, option->name, value, &size)) return errname(errno);
	snprintf(out, sizeof *text, "%d (%d bytes)", value[0], (int)size);
	return out;
}

static const char *set(int fd, const struct option *option, int value)
{
	return setsockopt(fd, option->level, option->name, &value, sizeof value) ? errname(errno) : "ok";
}

static void show(int fd, const struct option *options)
{
	for (const struct option *option = options; option->text; option++) {
		say("%s: %s", option->text, got(fd, option));
		for (int value = 1; value >= -1; value--) {
			/* As much as there is memory for. */
			if (value < 0 && option->name == SO_RCVLOWAT && option->level == SOL_SOCKET) continue;
			const char *result = set(fd, option, value);
			say("  set %d: %s, then %s", value, result, got(fd, option));
		}
	}
}

static void show_all(int family, int type)
{
	const struct option *const all[] = { of_sockets, of_ip, of_ipv6, of_tcp };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		int fd = socket(family, type, 0);
		show(fd, all[i]);
		close(fd);
	}
}

TEST(stream) { show_all(AF_INET, SOCK_STREAM); }
TEST(datagram) { show_all(AF_INET, SOCK_DGRAM); }
TEST(stream6) { show_all(AF_INET6, SOCK_STREAM); }
TEST(datagram6) { show_all(AF_INET6, SOCK_DGRAM); }

TEST(congestion)
{
	char name[16] = { 0 };
	socklen_t size = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *const names[] = { "reno", "cubic", "nonesuch", "cub", "" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		say("name \"%s\"", names[i]);
		CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, names[i], strlen(names[i])));
		CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
		say("  %s, %d bytes", name, (int)size);
	}
	close(fd);
	/* Who is accepted has the listener's. */
	int server = listener(1), client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(setsockopt(server, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	if (connect_to(client, port_of(server))) say("no connection: %s", errname(errno));
	fd = accept(server, 0, 0);
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
	say("%s", name);
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
	CALL(getsockopt(server, IPPROTO_TCP, TCP_CONGESTION, name, &size));
	say("%s", name);
	close(fd), close(client), close(server);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	close(fd);
}

static int switch_on(int fd, int level, int name)
{
	int on = 1;
	return setsockopt(fd, level, name, &on, sizeof on);
}

/* A socket of this type on the port, or on a free one, that divides it with others. */
static int divided(int type, int port)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	if (switch_on(fd, SOL_SOCKET, SO_REUSEPORT) || bind_to(fd, port)) say("not divided: %s", errname(errno));
	return fd;
}

enum { CLIENTS = 64, SERVERS = 4 };

TEST(listeners_that_divide_a_port)
{
	int servers[SERVERS], clients[CLIENTS], port = 0, accepted = 0, busy = 0;
	for (int i = 0; i < SERVERS; i++) {
		servers[i] = divided(SOCK_STREAM, port);
		port = port_of(servers[i]);
		CALL(listen(servers[i], CLIENTS));
	}
	int other = socket(AF_INET, SOCK_STREAM, 0);
	CALL(bind_to(other, port));
	CALL(switch_on(other, SOL_SOCKET, SO_REUSEADDR));
	CALL(bind_to(other, port));
	close(other);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect_to(clients[i], port)) say("no connection: %s", errname(errno));
	}
	for (int i = 0; i < SERVERS; i++) {
		int of_this = 0, fd;
		while ((fd = accept(servers[i], 0, 0)) >= 0) close(fd), of_this++;
		accepted += of_this;
		busy += of_this > 0;
	}
	say("%d accepted, %s", accepted, busy == SERVERS ? "by all" : "by some");
	/* What remains takes all. */
	for (int i = 1; i < SERVERS; i++) close(servers[i]);
	int last = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(last, port));
	struct pollfd ready = { servers[0], POLLIN, 0 };
	CALL(poll(&ready, 1, -1));
	WORKS(close(accept(servers[0], 0, 0)));
	close(servers[0]);
	int late = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(late, port));
	close(late);
	close(last);
	for (int i = 0; i < CLIENTS; i++) close(clients[i]);
}

TEST(datagrams_that_divide_a_port)
{
	int servers[SERVERS], port = 0, got_ = 0, busy = 0;
	for (int i = 0; i < SERVERS; i++) {
		servers[i] = divided(SOCK_DGRAM, port);
		port = port_of(servers[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		int client = socket(AF_INET, SOCK_DGRAM, 0);
		struct sockaddr_in to = loopback(port);
		if (sendto(client, "x", 1, 0, (void *)&to, sizeof to) != 1) say("not sent: %s", errname(errno));
		close(client);
	}
	for (int i = 0; i < SERVERS; i++) {
		int of_this = 0;
		char byte;
		while (recv(servers[i], &byte, 1, 0) == 1) of_this++;
		got_ += of_this;
		busy += of_this > 0;
		close(servers[i]);
	}
	say("%d came, %s", got_, busy == SERVERS ? "to all" : "to some");
}

/* Receives a datagram and tells its ancillary data. */
static void tell(int fd, int port)
{
	char byte, space[512];
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	CALL(recvmsg(fd, &message, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		char text[INET6_ADDRSTRLEN], more[INET6_ADDRSTRLEN];
		int size = (int)(c->cmsg_len - CMSG_LEN(0));
		say("%d/%d, %d bytes", c->cmsg_level, c->cmsg_type, size);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET, &info->ipi_spec_dst, text, sizeof text);
			inet_ntop(AF_INET, &info->ipi_addr, more, sizeof more);
			say("interface %d, own address %s, sent to %s", info->ipi_ifindex, text, more);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET6, &info->ipi6_addr, text, sizeof text);
			say("interface %d, sent to %s", (int)info->ipi6_ifindex, text);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVORIGDSTADDR) {
			struct sockaddr_in *to = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET, &to->sin_addr, text, sizeof text);
			say("family %d, to %s, %s", to->sin_family, text, ntohs(to->sin_port) == port ? "that port" : "another port");
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP) {
			struct timeval at;
			memcpy(&at, CMSG_DATA(c), sizeof at);
			say("%s", labs(time(0) - at.tv_sec) < 600 && at.tv_usec < 1000000 ? "now" : "at another time");
		}
	}
}

TEST(datagrams_tell_where_they_were_sent_to)
{
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in all = { .sin_family = AF_INET };
	CALL(bind(server, (void *)&all, sizeof all));
	CALL(switch_on(server, IPPROTO_IP, IP_PKTINFO));
	CALL(switch_on(server, IPPROTO_IP, IP_RECVORIGDSTADDR));
	CALL(switch_on(server, SOL_SOCKET, SO_TIMESTAMP));
	struct sockaddr_in to = loopback(port_of(server));
	CALL(sendto(client, "x", 1, 0, (void *)&to, sizeof to));
	tell(server, port_of(server));
	close(server);
	close(client);
}

TEST(datagrams_tell_where_they_were_sent_to_6)
{
	int server = socket(AF_INET6, SOCK_DGRAM, 0), client = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof to;
	if (client < 0 || bind(server, (void *)&to, sizeof to)) return;
	getsockname(server, (void *)&to, &size);
	CALL(switch_on(server, IPPROTO_IPV6, IPV6_RECVPKTINFO));
	/* Of IPv4, through the same socket. */
	struct sockaddr_in old = loopback(ntohs(to.sin6_port));
	int client4 = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(sendto(client4, "x", 1, 0, (void *)&old, sizeof old));
	tell(server, 0);
	close(client4);
	close(server);
	close(client);
}

TEST(a_datagram_names_its_source)
{
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	bind_to(server, 0);
	struct sockaddr_in to = loopback(port_of(server)), from;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO } };
	struct in_pktinfo *info = (void *)CMSG_DATA(&control.header);
	struct iovec data = { "x", 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control };
	info->ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
	CALL(sendmsg(client, &message, 0));
	char byte;
	socklen_t size = sizeof from;
	CALL(recvfrom(server, &byte, 1, 0, (void *)&from, &size));
	say("from %s", inet_ntoa(from.sin_addr));
	control.header.cmsg_len = CMSG_LEN(4);
	CALL(sendmsg(client, &message, 0));
	close(server);
	close(client);
}

TEST(low_water)
{
	int fds[2], wanted = 4;
	tcp_pair(fds);
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted));
	struct pollfd ready = { fds[1], POLLIN, 0 };
	CALL(write(fds[0], "abc", 3));
	CALL(poll(&ready, 1, 50));
	CALL(write(fds[0], "d", 1));
	CALL(poll(&ready, 1, -1));
	char bytes[8];
	CALL(read(fds[1], bytes, sizeof bytes));
	CALL(write(fds[0], "e", 1));
	CALL(poll(&ready, 1, 50));
	/* The end counts, however little came before it. */
	close(fds[0]);
	CALL(poll(&ready, 1, -1));
	CALL(read(fds[1], bytes, sizeof bytes));
	close(fds[1]);
}

AREA(sockopt) T(stream) T(datagram) T(stream6) T(datagram6) T(congestion) T(listeners_that_divide_a_port)
	T(datagrams_that_divide_a_port) T(datagrams_tell_where_they_were_sent_to) T(datagrams_tell_where_they_were_sent_to_6)
	T(a_datagram_names_its_source) T(low_water) END

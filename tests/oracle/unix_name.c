/* Names of AF_UNIX sockets, and datagrams that go by them. */
#include "unix.h"
#include <netinet/in.h>

static const int kinds[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

TEST(made)
{
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_UNIX, kinds[i] | SOCK_NONBLOCK, 0), value = -1;
		socklen_t size = sizeof value;
		struct stat s;
		VALUE(i);
		say_name(fd);
		say_peer(fd);
		say_events(fd);
		CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
		VALUE(value == kinds[i]);
		CALL(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
		VALUE(value);
		CALL(fstat(fd, &s));
		VALUE(s.st_mode);
		CALL(read(fd, &value, 1));
		CALL(send(fd, "x", 1, MSG_NOSIGNAL));
		CALL(listen(fd, 1));
		CALL(accept(fd, 0, 0));
		CALL(shutdown(fd, SHUT_WR));
		say_events(fd);
		close(fd);
	}
	int raw = socket(AF_UNIX, SOCK_RAW, 0), value = -1;
	socklen_t size = sizeof value;
	CALL(getsockopt(raw, SOL_SOCKET, SO_TYPE, &value, &size));
	VALUE(value);
	close(raw);
	CALL(socket(AF_UNIX, SOCK_STREAM, 77));
	CALL(socket(AF_UNIX, 77, 0));
}

TEST(paths)
{
	struct stat s;
	in_empty_directory();
	umask(027);
	int fd = bound(SOCK_STREAM, "socket"), other = socket(AF_UNIX, SOCK_STREAM, 0);
	say_name(fd);
	CALL(stat("socket", &s));
	VALUE(s.st_mode);
	VALUE(s.st_nlink);
	VALUE(s.st_size);
	CALL(open("socket", O_RDWR));
	CALL(mkdir("directory", 0755));
	CALL(symlink("nowhere", "dangling"));
	CALL(symlink("socket", "link"));
	CALL(close(creat("file", 0600)) * 0);
	static const char *const there[] = { "socket", "directory", "dangling", "link", "file", "/", ".", "missing/socket",
		"file/socket", "socket/", "new/" };
	for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
		say("%s", there[i]);
		CALL(bind_to_name(other, there[i]));
		CALL(connect_to_name(other, there[i]));
	}
	CALL(bind_to_name(fd, "second"));
	CALL(access("second", F_OK));
	CALL(bind_to_name(fd, "@second"));
	CALL(bind_to_name(fd, ""));
	say_name(fd);
	CALL(chmod("socket", 0600));
	CALL(stat("socket", &s));
	VALUE(s.st_mode);
	CALL(truncate("socket", 0));
	CALL(readlink("socket", (char *)&s, 1));
	close(fd);
	CALL(access("socket", F_OK));
	CALL(connect_to_name(other, "socket"));
	CALL(bind_to_name(other, "socket"));
	CALL(unlink("socket"));
	CALL(connect_to_name(other, "socket"));
	CALL(bind_to_name(other, "socket"));
	close(other);
}

/* The inode leads to the socket, not the path. */
TEST(moved)
{
	in_empty_directory();
	int fd = listening(SOCK_STREAM, "old", 9), client;
	CALL(rename("old", "new"));
	CALL(link("new", "hard"));
	CALL(symlink("hard", "soft"));
	static const char *const there[] = { "old", "new", "hard", "soft" };
	for (size_t i = 0; i < 4; i++) {
		client = socket(AF_UNIX, SOCK_STREAM, 0);
		say("%s", there[i]);
		CALL(connect_to_name(client, there[i]));
		say_peer(client);
		close(client);
	}
	CALL(unlink("new"));
	int other = listening(SOCK_STREAM, "new", 1);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "new"));
	say_peer(client);
	close(client);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "soft"));
	say_peer(client);
	close(client);
	CALL(rename("hard", "new"));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect_to_name(client, "new"));
	say_peer(client);
	close(client);
	close(other);
	close(fd);
}

TEST(abstract)
{
	int fd = bound(SOCK_STREAM, "@name"), other = socket(AF_UNIX, SOCK_STREAM, 0), datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
	say_name(fd);
	CALL(bind_to_name(other, "@name"));
	CALL(bind_to_name(datagram, "@name"));
	CALL(connect_to_name(other, "@name"));
	CALL(bind_to_name(fd, "@other"));
	close(fd);
	CALL(bind_to_name(other, "@name"));
	CALL(listen(other, 1));
	int client = connected(SOCK_STREAM, "@name"), server = accept(other, 0, 0);
	say_name(server);
	CALL(connect_to_name(socket(AF_UNIX, SOCK_SEQPACKET, 0), "@name"));
	close(3);
	close(server);
	close(client);
	client = connected(SOCK_STREAM, "@name");
	close(client);
	close(other);
	CALL(connect_to_name(datagram, "@name"));
	say_peer(datagram);
	close(datagram);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(bind_to_name(fd, ""));
	say_name(fd);
	CALL(bind_to_name(fd, ""));
	CALL(bind_to_name(fd, "@name"));
	close(fd);
}

static long bind_raw(int fd, int family, int size)
{
	struct sockaddr_storage name = { .ss_family = family };
	memset((char *)&name + 2, 'x', sizeof name - 2);
	long result = bind(fd, (void *)&name, size);
	int number = errno;
	char path[109] = { 0 };
	memset(path, 'x', size > 110 ? 0 : size > 2 ? size - 2 : 0);
	if (result == 0) unlink(path);
	errno = number;
	return result;
}

TEST(lengths)
{
	in_empty_directory();
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(bind_raw(fd, AF_UNIX, 0));
	CALL(bind_raw(fd, AF_UNIX, 1));
	CALL(bind_raw(fd, AF_UNIX, 111));
	CALL(bind_raw(fd, AF_UNIX, 128));
	CALL(bind_raw(fd, AF_UNIX, 129));
	CALL(bind_raw(fd, AF_INET, 16));
	CALL(bind_raw(fd, AF_UNSPEC, 16));
	CALL(bind_raw(fd, AF_UNIX, 110));
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	CALL(getsockname(fd, (void *)&name, &size));
	VALUE(size);
	VALUE(strlen((char *)&name + 2));
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(bind_raw(fd, AF_UNIX, 5));
	size = 4;
	memset(&name, 0, sizeof name);
	CALL(getsockname(fd, (void *)&name, &size));
	say("size %d, '%s'", (int)size, (char *)&name + 2);
	CALL(connect_to_name(fd, ""));
	CALL(send_to_name(fd, "", "x"));
	struct sockaddr_in inet = { .sin_family = AF_INET };
	CALL(connect(fd, (void *)&inet, sizeof inet));
	CALL(sendto(fd, "x", 1, 0, (void *)&inet, sizeof inet));
	close(fd);
}

TEST(datagrams)
{
	in_empty_directory();
	int a = bound(SOCK_DGRAM, "a"), b = bound(SOCK_DGRAM, "@b"), nameless = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(send_to_name(a, "@b", "one"));
	CALL(send_to_name(nameless, "@b", ""));
	CALL(send_to_name(b, "@b", "self"));
	say_events(b);
	say_received(b);
	say_received(b);
	say_received(b);
	say_received(b);
	say_events(b);
	CALL(send_to_name(b, "a", "back"));
	say_received(a);
	CALL(send(a, "x", 1, 0));
	CALL(send_to_name(a, "missing", "x"));
	CALL(send_to_name(a, "@missing", "x"));
	int stream = bound(SOCK_STREAM, "stream");
	CALL(send_to_name(a, "stream", "x"));
	CALL(send_to_name(stream, "a", "x"));
	CALL(connect_to_name(a, "stream"));
	close(stream);
	CALL(send_to_name(a, "stream", "x"));
	CALL(shutdown(b, SHUT_RD));
	CALL(send_to_name(a, "@b", "x"));
	CALL(shutdown(a, SHUT_WR));
	CALL(send_to_name(a, "a", "x"));
	close(b);
	CALL(send_to_name(nameless, "@b", "x"));
	CALL(unlink("a"));
	CALL(send_to_name(nameless, "a", "x"));
	close(nameless);
	close(a);
}

static int error_of(int fd)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size) ? -1 : value;
}

static long disconnect(int fd)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	return connect(fd, &nobody, sizeof nobody);
}

TEST(associations)
{
	int a = bound(SOCK_DGRAM, "@a"), b = bound(SOCK_DGRAM, "@b"), c = bound(SOCK_DGRAM, "@c");
	CALL(connect_to_name(a, "@b"));
	say_peer(a);
	say_peer(b);
	CALL(send(a, "1", 1, 0));
	say_received(b);
	CALL(send_to_name(b, "@a", "2"));
	say_received(a);
	CALL(send_to_name(c, "@a", "x"));
	CALL(connect_to_name(c, "@a"));
	CALL(send_to_name(a, "@c", "3"));
	say_received(c);
	CALL(connect_to_name(a, "@c"));
	say_peer(a);
	CALL(connect_to_name(a, "@a"));
	CALL(send_to_name(c, "@a", "lost"));
	CALL(disconnect(a));
	say_peer(a);
	say_received(a);
	VALUE(error_of(c));
	CALL(disconnect(a));
	CALL(connect_to_name(a, "@b"));
	CALL(connect_to_name(b, "@a"));
	CALL(send(b, "lost", 4, 0));
	CALL(connect_to_name(a, "@c"));
	say_events(b);
	VALUE(error_of(b));
	CALL(send(b, "x", 1, 0));
	CALL(send(a, "x", 1, 0));
	close(c);
	CALL(send(a, "x", 1, 0));
	CALL(send(a, "x", 1, 0));
	say_peer(a);
	CALL(connect_to_name(a, "@a"));
	CALL(send(a, "self", 4, 0));
	say_received(a);
	close(b);
	close(a);
	int pair[2];
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CALL(bind_to_name(pair[0], "@pair"));
	say_peer(pair[1]);
	CALL(send(pair[0], "named", 5, 0));
	say_received(pair[1]);
	CALL(disconnect(pair[0]));
	CALL(send(pair[0], "x", 1, 0));
	CALL(send(pair[1], "y", 1, 0));
	say_received(pair[0]);
	close(pair[0]);
	close(pair[1]);
}

static void say_option(int fd, int level, int name)
{
	int value[2] = { -1, -1 };
	socklen_t size = sizeof value;
	if (getsockopt(fd, level, name, value, &size)) say("option %d: %s", name, errname(errno));
	else say("option %d: %d, size %d", name, value[0], (int)size);
}

/* What programs set for all families. */
TEST(options)
{
	static const int names[] = { SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY, SO_PASSCRED,
		SO_TIMESTAMP, SO_LINGER };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), value[2] = { 5, 1 };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		say_option(fd, SOL_SOCKET, names[i]);
		CALL(setsockopt(fd, SOL_SOCKET, names[i], value, sizeof value));
		say_option(fd, SOL_SOCKET, names[i]);
		CALL(setsockopt(fd, SOL_SOCKET, names[i], value, 3));
	}
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, value, 4));
	CALL(setsockopt(fd, SOL_SOCKET, 9999, value, 4));
	say_option(fd, SOL_SOCKET, 9999);
	CALL(setsockopt(fd, IPPROTO_IP, 1, value, 4));
	say_option(fd, IPPROTO_IP, 1);
	CALL(setsockopt(fd, IPPROTO_TCP, 1, value, 4));
	say_option(fd, IPPROTO_TCP, 1);
	close(fd);
}

static int waits[2];

static void *sends_one_more(void *unused)
{
	CALL(send(waits[0], "more", 4, 0));
	return unused;
}

/* How many datagrams wait for a socket that is not connected back is limited; whoever sends one more sleeps. */
TEST(short_queue)
{
	char buffer[8];
	int receiver = bound(SOCK_DGRAM, "@r"), n = 0;
	struct timeval limit = { 0, 20000 };
	waits[0] = connected(SOCK_DGRAM, "@r");
	while (send(waits[0], "x", 1, MSG_DONTWAIT) == 1 && n < 1000) n++;
	VALUE(n > 1 && n < 1000);
	say_events(waits[0]);
	CALL(setsockopt(waits[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	CALL(send(waits[0], "x", 1, 0));
	limit.tv_usec = 0;
	CALL(setsockopt(waits[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	CALL(send_to_name(receiver, "@r", "self"));
	pthread_t thread = start(sends_one_more, 0);
	let_it_block();
	recv(receiver, buffer, 8, 0);
	recv(receiver, buffer, 8, 0);
	join(thread);
	say_events(waits[0]);
	thread = start(sends_one_more, 0);
	let_it_block();
	close(receiver);
	join(thread);
	close(waits[0]);
}

AREA(unix_name)
	T(made) T(paths) T(moved) T(abstract) T(lengths) T(datagrams) T(associations) T(options)
	T(short_queue)
END

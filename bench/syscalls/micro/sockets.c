/* A byte there and back over TCP and the loopback interface, by one thread: four calls. */
#include "micro.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int client = -1, server = -1;

static void close_both(void)
{
	close(client);
	close(server);
	client = server = -1;
}

static const char *open_connection(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof where;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (void *)&where, size) || listen(listener, 1)) return "listen";
	if (getsockname(listener, (void *)&where, &size)) return "getsockname";
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (void *)&where, size)) return "connect";
	server = accept(listener, 0, 0);
	close(listener);
	if (server < 0) return "accept";
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return 0;
}

static void move(int from, int to)
{
	char byte = 1;
	if (send(from, &byte, 1, MSG_NOSIGNAL) != 1 || recv(to, &byte, 1, 0) != 1) {
		perror("socket");
		exit(1);
	}
}

static void run_echo(unsigned long n)
{
	for (; n; n--) {
		move(client, server);
		move(server, client);
	}
}

const struct operation socket_operations[] = {
	{ "socket_echo", open_connection, run_echo, close_both },
	{ 0 },
};

/* Unix sockets: a stream pair with queued bytes, datagrams in a queue, a bound and a listening socket with a
 * connection that nobody accepted, a named datagram server with a client, and descriptors in flight (SCM_RIGHTS). */
#include "program.h"
#include <sys/un.h>

static struct sockaddr_un at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, name);
	return address;
}

static void send_descriptor(int socket, int fd)
{
	char byte = 'd', space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	check(sendmsg(socket, &message, 0) == 1, "sendmsg");
}

int main(void)
{
	int pair[2], packets[2], sequence[2], flight[2], listener, client, server, sender, file;
	struct sockaddr_un listening = at("listening"), named = at("named");

	survive_signals();
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "queued", 6) == 6, "pair");
	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets) == 0, "packets");
	check(write(packets[0], "one", 3) == 3 && write(packets[0], "three", 5) == 5, "packets");
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sequence) == 0 && write(sequence[1], "s", 1) == 1, "sequence");
	check(shutdown(sequence[0], SHUT_WR) == 0, "shutdown");
	check((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0, "socket");
	check(bind(listener, (void *)&listening, sizeof(listening)) == 0 && listen(listener, 5) == 0, "listen");
	check((client = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0, "client");
	check(connect(client, (void *)&listening, sizeof(listening)) == 0, "connect");
	check(accept(listener, NULL, NULL) >= 0, "accept");
	check((server = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0, "server");
	check(bind(server, (void *)&named, sizeof(named)) == 0, "bind");
	check((sender = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0, "sender");
	check(connect(sender, (void *)&named, sizeof(named)) == 0 && write(sender, "datagram", 8) == 8, "sender");
	check((file = open("sent", O_RDWR | O_CREAT, 0600)) >= 0, "file");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, flight) == 0, "flight");
	send_descriptor(flight[0], file);
	sleeper();
	ready();
}

"""Clients of ejabberd, by slixmpp: sign up over TLS, talk to each other, in a room and to one who is away, and compare what comes.

    python3 xmpp.py PORT CERTIFICATE COUNT
"""

import asyncio
import hashlib
import sys

import slixmpp

CLIENTS = 4
# When something that is certain to come is given up, in seconds.
PATIENCE = 600
ROOM = slixmpp.JID("room@conference.localhost")


def body(sender: str, number: int) -> str:
    """Message number N of somebody: from some characters to some thousands, with those that XML escapes, and the same every time."""
    digest = hashlib.sha256(f"{sender} {number}".encode()).hexdigest()
    return f"{number} <&\"'> žluťoučký 😀 " + digest * (1 + int(digest[0], 16) ** 2 // 4)


class Client(slixmpp.ClientXMPP):
    """One who signs up when it has no account, and keeps all that it is told."""

    def __init__(self, name: str, password: str, certificate: str, signs_up: bool = False) -> None:
        super().__init__(f"{name}@localhost/test", password)
        self.ssl_context.load_verify_locations(certificate)
        self.enable_direct_tls = False
        self.told: asyncio.Queue[slixmpp.Message] = asyncio.Queue()
        self.heard: asyncio.Queue[slixmpp.Message] = asyncio.Queue()
        self.session: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        for plugin in ["xep_0045", "xep_0054", "xep_0077", "xep_0199", "xep_0203"]:
            self.register_plugin(plugin)
        if signs_up:
            self.add_event_handler("register", self.sign_up)
        self.add_event_handler("session_start", lambda _: self.session.set_result(True))
        self.add_event_handler("failed_all_auth", lambda _: self.session.set_result(False))
        self.add_event_handler("message", self.keep)

    async def sign_up(self, _form: slixmpp.Iq) -> None:
        iq = self.make_iq_set()
        iq["register"]["username"] = self.boundjid.user
        iq["register"]["password"] = self.password
        await iq.send()

    def keep(self, message: slixmpp.Message) -> None:
        if message["type"] != "groupchat":
            self.told.put_nowait(message)
        elif message["body"]:
            self.heard.put_nowait(message)

    async def come(self, port: int) -> bool:
        """Whether the server lets it in."""
        self.connect("127.0.0.1", port)
        let_in = await self.session
        if let_in:
            await self.get_roster()
            self.send_presence()
            # Until the server has seen that, it keeps what others say as for one who is away, and tells it out of turn.
            await self["xep_0199"].ping("localhost")
        return let_in

    async def enter(self, room: slixmpp.JID) -> None:
        """Returns when the room has told that it is in."""
        entered: asyncio.Future[slixmpp.Presence] = asyncio.get_running_loop().create_future()
        with self.event_handler(f"muc::{room}::self-presence", entered.set_result):
            self["xep_0045"].join_muc(room, self.boundjid.user)
            await entered

    async def expect(self, sender: str, numbers: range) -> None:
        """Waits for these messages of somebody, in this order."""
        for number in numbers:
            message = await self.told.get()
            assert message["from"].bare == f"{sender}@localhost", f"{self.boundjid}: a message of {message['from']}"
            assert message["body"] == body(sender, number), f"{self.boundjid}: message {number} of {sender} is {message['body']}"


async def talk(clients: list[Client], count: int) -> None:
    """Each tells the next one its messages, all at the same time."""
    names = [client.boundjid.user for client in clients]

    async def one(number: int) -> None:
        client, to = clients[number], names[(number + 1) % len(names)]
        for message in range(count):
            client.send_message(f"{to}@localhost", body(names[number], message), mtype="chat")
        await client.expect(names[number - 1], range(count))

    await asyncio.gather(*map(one, range(len(clients))))
    print(f"{len(clients)} clients told each other {count} messages each", flush=True)


async def meet(clients: list[Client], count: int) -> None:
    """All speak at once in a room, and all hear the same."""
    for client in clients:
        await client.enter(ROOM)
    for number in range(count):
        for client in clients:
            client.send_message(ROOM, body(client.boundjid.user, number), mtype="groupchat")
    heard = [[await client.heard.get() for _ in range(count * len(clients))] for client in clients]
    heard = [[(message["from"].resource, message["body"]) for message in messages] for messages in heard]
    assert all(messages == heard[0] for messages in heard), "the room is not in one order"
    for client in clients:
        name = client.boundjid.user
        said = [text for speaker, text in heard[0] if speaker == name]
        assert said == [body(name, number) for number in range(count)], f"{name} was not heard as it spoke"
    print(f"{len(clients)} clients heard {len(heard[0])} messages in a room", flush=True)


async def main(port: int, certificate: str, count: int) -> None:
    clients = [Client(f"user{number}", f"secret {number}", certificate, signs_up=True) for number in range(CLIENTS)]
    # One after the other: QEMU's user network holds a connection back that is not taken at once.
    for client in clients:
        assert await client.come(port), f"{client.boundjid} is not let in"
    print(f"signed up {len(clients)}, with {clients[0].transport.get_extra_info('ssl_object').version()}", flush=True)

    await talk(clients, count)
    await meet(clients, count // 10)

    first, second, *_ = clients
    card = first["xep_0054"].make_vcard()
    card["FN"] = "Žofie <&>"
    await first["xep_0054"].publish_vcard(card)
    shown = await second["xep_0054"].get_vcard(first.boundjid.bare, cached=False)
    assert shown["vcard_temp"]["FN"] == card["FN"], f"the card is {shown}"

    # What is said to one who is away is kept, and told with the time that it was said.
    await second.disconnect()
    for number in range(10):
        first.send_message("user1@localhost", body("user0", number), mtype="chat")
    await first["xep_0199"].ping("localhost")
    again = Client("user1", "secret 1", certificate)
    assert await again.come(port), "one who was away is not let in"
    await again.expect("user0", range(10))

    # Nobody comes in with a wrong password.
    assert not await Client("user1", "wrong", certificate).come(port), "a wrong password was taken"
    print("all is well", flush=True)


asyncio.run(asyncio.wait_for(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])), PATIENCE))

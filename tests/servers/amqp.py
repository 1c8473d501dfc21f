"""A client of RabbitMQ, by pika: publishes with confirms, consumes, and compares what comes with what went.

    python3 amqp.py PORT COUNT
"""

import hashlib
import sys

import pika


def body(number: int) -> bytes:
    """Message number N: from some bytes to some kilobytes, and the same every time."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return digest * (1 + digest[0] % 100)


def main(port: int, count: int) -> None:
    parameters = pika.ConnectionParameters(
        "127.0.0.1", port, credentials=pika.PlainCredentials("guest", "guest"), heartbeat=0, socket_timeout=60,
        blocked_connection_timeout=120, stack_timeout=120,
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()

    # A topic exchange and two queues: every message goes to one of them, and every tenth to both.
    channel.exchange_declare("work", "topic")
    for queue, key in [("all", "work.#"), ("tenth", "work.tenth")]:
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, "work", key)
    channel.confirm_delivery()
    for number in range(count):
        key = "work.tenth" if number % 10 == 0 else "work.other"
        properties = pika.BasicProperties(message_id=str(number), delivery_mode=2)
        # Returns when the server has confirmed the message; raises when it cannot be routed.
        channel.basic_publish("work", key, body(number), properties, mandatory=True)
    print(f"published and confirmed {count}", flush=True)

    channel.basic_qos(prefetch_count=100)
    for queue, expected in [("all", range(count)), ("tenth", range(0, count, 10))]:
        got = 0
        for method, properties, content in channel.consume(queue, inactivity_timeout=120):
            assert method is not None, f"{queue}: {got} of {len(expected)} messages came"
            assert properties.message_id == str(expected[got]), f"{queue}: {properties.message_id} in place {got}"
            assert content == body(expected[got]), f"{queue}: message {properties.message_id} has changed"
            channel.basic_ack(method.delivery_tag)
            got += 1
            if got == len(expected):
                break
        channel.cancel()
        left = channel.queue_declare(queue, passive=True).method.message_count
        assert left == 0, f"{queue}: {left} messages are left"
        print(f"consumed {got} of {queue}", flush=True)

    # What is not there is an error of the channel, and the connection goes on.
    try:
        channel.queue_declare("none", passive=True)
        raise AssertionError("a queue that is not there was found")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
    assert connection.channel().is_open
    connection.close()
    print("all is well", flush=True)


main(int(sys.argv[1]), int(sys.argv[2]))

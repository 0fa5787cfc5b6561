"""Publishes one event with pika, following only the contract "Event on the wire": the platform need not be Rust.

Exits 0 when the broker confirmed the event, and with pika's error when it refused or could not route it. The
appointment goes into the body as the text it is, so that numbers, order and Unicode stay what the file says.
"""

import argparse
import time
from datetime import datetime, timezone
from pathlib import Path

import pika

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True, help="amqp://user:password@host:port/vhost")
parser.add_argument("--mode", required=True, choices=["live", "test"])
parser.add_argument("--type", required=True, help="for example appointment.scheduled")
parser.add_argument("--organisation", required=True, help="org_…")
parser.add_argument("--event-id", required=True)
parser.add_argument("appointment", type=Path, help="a file with the appointment's JSON")
event = parser.parse_args()

now = datetime.now(timezone.utc)
# The four values are ids and names of the contract's narrow alphabets, so nothing in them needs escaping.
body = (
    f'{{"id":"{event.event_id}","type":"{event.type}","mode":"{event.mode}",'
    f'"organisationId":"{event.organisation}","occurredAt":"{now:%Y-%m-%dT%H:%M:%SZ}",'
    f'"data":{event.appointment.read_text(encoding="utf-8").strip()}}}'
)

connection = pika.BlockingConnection(pika.URLParameters(event.url))
channel = connection.channel()
channel.confirm_delivery()
channel.basic_publish(
    exchange="bellhop.events",
    routing_key=f"{event.mode}.{event.type}",
    body=body.encode(),
    properties=pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        message_id=event.event_id,
        type=event.type,
        timestamp=int(time.time()),
        headers={"organisation-id": event.organisation},
    ),
    mandatory=True,
)
connection.close()

//! Takes events, sends them to the webhooks that want them, records, settles.

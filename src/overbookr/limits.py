"""Every bound in one place, the unit in its name, the relations between them asserted at import."""

LABEL_LENGTH_MAX = 64  # characters of a seat's label
SEATS_PER_REQUEST_MAX = 1000  # labels in one request to add, block or unblock
IDEMPOTENCY_KEY_LENGTH_MAX = 255
PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
METADATA_BYTES_MAX = 16 * 1024

# The write path. A batch is one transaction: its size bounds how long an event's row stays locked.
BATCH_COMMANDS_MAX = 128
LANE_QUEUE_COMMANDS_MAX = 4096
LANE_WAIT_SECONDS_MAX = 3.0
RETRIES_MAX = 3

# The read path.
READ_WAIT_SECONDS_MAX = 2.0
LOOKS_PER_BATCH_MAX = 4096
LOOKS_WAITING_MAX = 16_384
MAPS_KEPT_MAX = 64  # encoded maps a process keeps
PLAN_SECONDS_MAX = 30.0
PRINCIPAL_BATCH_MAX = 256
PRINCIPAL_QUEUE_MAX = 8192

# Background duties.
SETTLE_EVENTS_PER_ROUND_MAX = 200
SETTLE_PERIOD_SECONDS = 1.0

STOP_SECONDS_MAX = 15.0

assert LANE_WAIT_SECONDS_MAX < STOP_SECONDS_MAX, "a queued command is answered before a stopping process ends"
assert BATCH_COMMANDS_MAX <= LANE_QUEUE_COMMANDS_MAX

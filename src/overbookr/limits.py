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
MAP_AGE_SECONDS_MAX = 0.1  # how long a map that was found true is served without another look
BOARD_SEATS_MAX = 2_000_000  # seats in the memory of a process; what else is kept is counted as seats, SEAT_BYTES each
BOARD_SEATS_AT_LEAST = 200
SEAT_BYTES = 25
HOUSES_AT_ONCE_MAX = 2  # are read
HOUSE_WAIT_SECONDS_MAX = 10.0
BOARD_SECONDS_MAX = 300.0  # after which a board is compared with the database
BOARD_AT_ONCE_SEATS_MAX = 2_000  # larger boards are built beside the event loop
LISTED_SEATS_MAX = 100_000  # whose list is kept as well, which takes ten times as much
CHANGES_READ_MAX = 5_000  # a board that is further behind is read anew
CHANGES_KEPT_MAX = 8_192
STREAMS_MAX = 4_000  # viewers of a process
STREAM_LOOK_SECONDS = 0.2
STREAM_PING_SECONDS = 15.0
STREAM_SECONDS_MIN = 60.0
STREAM_SECONDS_MAX = 90.0
STREAM_SLOW_SECONDS = 10.0  # who takes longer for one message is let go
STREAM_SEATS_MIN = 100  # more changed seats than this, and than an eighth of the house, are told as a whole map
ENCODED_BYTES_MIN = 1_024  # shorter documents are sent as they are
ENCODED_AT_ONCE_BYTES_MAX = 65_536  # longer documents are encoded beside the event loop
PLAN_SECONDS_MAX = 30.0
PRINCIPAL_BATCH_MAX = 256
PRINCIPAL_QUEUE_MAX = 8192

# Overload, for each API process: requests in hand at once. When answers have become slower than the target, the limit
# comes down to what is served within it, but not below the floor.
IN_FLIGHT_MAX = 256
IN_FLIGHT_FLOOR = 40
IN_FLIGHT_TARGET_SECONDS = 0.1
READS_PERCENT_MAX = 75
OVERLOAD_LOOK_SECONDS = 0.25
# A refusal is answered after a pause, so that those who come back at once do so no more often than this.
REFUSAL_PAUSE_SECONDS = 2.0
REFUSALS_PAUSED_MAX = 4096
RETRY_AFTER_SECONDS_MAX = 3

# Background duties.
SETTLE_EVENTS_PER_ROUND_MAX = 200
SETTLE_PERIOD_SECONDS = 1.0
FOLD_ROWS_PER_ROUND_MAX = 10_000
FOLD_PERIOD_SECONDS = 5.0

POOL_LOOK_SECONDS = 1.0

STOP_SECONDS_MAX = 15.0

assert LANE_WAIT_SECONDS_MAX < STOP_SECONDS_MAX, "a queued command is answered before a stopping process ends"
assert IN_FLIGHT_FLOOR < IN_FLIGHT_MAX <= LANE_QUEUE_COMMANDS_MAX, "whoever was let in finds room in a lane"
assert IN_FLIGHT_TARGET_SECONDS < LANE_WAIT_SECONDS_MAX
assert BATCH_COMMANDS_MAX <= LANE_QUEUE_COMMANDS_MAX

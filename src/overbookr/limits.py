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
EVENT_PAGE_AGE_SECONDS_MAX = 0.1  # how long a page of the event list is served after its reading began
EVENT_PAGES_KEPT_MAX = 64
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
BOOKINGS_IN_FLIGHT_MAX = 1_024  # in a room of their own: as many as holds were placed while these are being answered
IN_FLIGHT_FLOOR = 40
IN_FLIGHT_TARGET_SECONDS = 0.1
READS_PERCENT_MAX = 75
OVERLOAD_LOOK_SECONDS = 0.25
# A refusal is answered after a pause, so that those who come back at once do so no more often than this: the shorter
# one when few wait for theirs, the longer one from so many on.
REFUSAL_PAUSE_SECONDS_MIN = 1.0
REFUSAL_PAUSE_SECONDS_MAX = 4.0
REFUSALS_PAUSED_MANY = 1_000
REFUSALS_PAUSED_MAX = 4096
RETRY_AFTER_SECONDS_MAX = 3

# Limits by user and address: their keys in the memory of a process, and the storage that processes may share.
RATE_LIMIT_KEYS_MAX = 200_000  # of each kind; a newer one then drives out what was counted for the older ones
RATE_LIMIT_CONNECTIONS_MAX = 16
RATE_LIMIT_WAIT_SECONDS_MAX = 0.5  # for an answer of the storage, after which the request goes on without it
RATE_LIMIT_REST_SECONDS = 2.0  # during which a storage that did not answer is asked nothing
RATE_LIMIT_TELL_SECONDS = 60.0

# What a client may cost that sends slowly, or does not read. How long it may take is a setting.
BODY_BYTES_PER_SECOND_MIN = 256 * 1024  # for bodies that may be large
BODY_PART_BYTES_MAX = 4 * 1024  # of a body that is not whole, which everybody may have in memory
BODIES_ARRIVING_BYTES_MAX = 32 * 1024 * 1024  # of all bodies in a process that are not whole; more are refused
DRAINS_MAX = 64  # refused bodies that a process reads to their end at once, so that their clients see the answer
LONG_ANSWER_BYTES_MIN = 256 * 1024  # longer answers are given to the server in parts, as their clients read them
LONG_ANSWER_PART_BYTES = 16 * 1024  # some ten of them lie in the server for each client that does not read
LONG_ANSWERS_BYTES_MAX = 64 * 1024 * 1024  # of all long answers in a process, each version of a list once
UNSENT_BYTES_MAX = 128 * 1024  # that the kernel takes of an answer while its client takes nothing
HEADERS_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 20_000  # of a process, where the limit of open files is far enough
FILES_RESERVED = 256  # that connections of clients may not take

# Background duties.
SETTLE_EVENTS_PER_ROUND_MAX = 200
SETTLE_PERIOD_SECONDS = 1.0
FOLD_ROWS_PER_ROUND_MAX = 10_000
FOLD_PERIOD_SECONDS = 5.0

# What one look at the sales of an event may read of its feed, some ten milliseconds of work.
SALES_CHANGES_PER_LOOK_MAX = 20_000

POOL_LOOK_SECONDS = 1.0

STOP_SECONDS_MAX = 15.0
STOP_UNREAD_SECONDS = 5.0  # of them, after which those are cut off who do not read their answers

assert LANE_WAIT_SECONDS_MAX < STOP_SECONDS_MAX, "a queued command is answered before a stopping process ends"
assert LANE_WAIT_SECONDS_MAX < STOP_UNREAD_SECONDS < STOP_SECONDS_MAX, "answers come first, and time is left after them"
assert IN_FLIGHT_FLOOR < IN_FLIGHT_MAX < BOOKINGS_IN_FLIGHT_MAX
assert IN_FLIGHT_MAX + BOOKINGS_IN_FLIGHT_MAX <= LANE_QUEUE_COMMANDS_MAX, "whoever was let in finds room in a lane"
assert RATE_LIMIT_WAIT_SECONDS_MAX < RATE_LIMIT_REST_SECONDS, "most requests do not wait for an absent storage"
assert REFUSAL_PAUSE_SECONDS_MIN < REFUSAL_PAUSE_SECONDS_MAX
assert REFUSALS_PAUSED_MANY <= REFUSALS_PAUSED_MAX
assert 4 * LONG_ANSWER_PART_BYTES < LONG_ANSWER_BYTES_MIN, "of a long answer, what the server has waiting is little"
assert LONG_ANSWER_BYTES_MIN < LONG_ANSWERS_BYTES_MAX, "more than one long answer is sent at a time"
assert IN_FLIGHT_TARGET_SECONDS < LANE_WAIT_SECONDS_MAX
assert BATCH_COMMANDS_MAX <= LANE_QUEUE_COMMANDS_MAX

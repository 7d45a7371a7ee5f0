-- migrate:up transaction:false

-- An organiser looks through the bookings of an event. The condition always holds; it keeps the index to the statement
-- that states it too, because other indexes serve whoever buys.
create index concurrently if not exists bookings_by_event on bookings (event_id, booking_id) where seats_count > 0;

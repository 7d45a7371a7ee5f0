-- migrate:up transaction:false

-- Found again by bookings_by_creation; two indexes of one column would only be two ways to choose the worse one.
drop index concurrently if exists bookings_by_time;

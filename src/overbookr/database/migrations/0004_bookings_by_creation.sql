-- migrate:up transaction:false

-- The parts of days at the ends of a report's range are read from the bookings themselves. The index of blocks cannot
-- find them for long: whatever it has not summarised yet is always read, and a cancelled booking that has moved to a
-- young block makes that block as old as itself.
create index concurrently if not exists bookings_by_creation on bookings (created_at);

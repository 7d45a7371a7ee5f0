-- migrate:up

-- A server that stopped while the index was being made has left an empty name behind, which would be taken for it.
set local lock_timeout = '5s';

do $$ begin
  if not (select indisvalid from pg_index where indexrelid = 'bookings_by_event'::regclass) then
    reindex index bookings_by_event;
  end if;
end $$;

-- name: insert_event
insert into events (event_id, name, venue, start_time) values ($1, $2, 'Bench hall', now() + interval '30 days');

-- name: add_seats
-- By the product's own function, so that counters, versions and the feed are as they would be.
select add_seats_v1($1, $2, $3, $4, 10);

-- name: settle
vacuum analyze;

-- name: count_taken
-- Seats of the yardstick in a status.
select count(*) from seats where status = $1;

-- name: server_settings
select name, setting, unit from pg_settings
 where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'shared_buffers',
                'max_wal_size', 'wal_compression', 'max_connections', 'data_checksums')
 order by name;

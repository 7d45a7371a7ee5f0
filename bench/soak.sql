-- name: sizes
-- Each table and index: its bytes, and of tables what was written, what is dead and how often it was vacuumed.
select c.relname as name, coalesce(t.relname, c.relname) as of_table, c.relkind = 'i' as is_index,
       pg_relation_size(c.oid) as bytes, coalesce(s.n_live_tup, 0) as live, coalesce(s.n_dead_tup, 0) as dead,
       coalesce(s.n_tup_ins, 0) as inserted, coalesce(s.n_tup_upd, 0) as updated,
       coalesce(s.n_tup_hot_upd, 0) as updated_in_place, coalesce(s.autovacuum_count, 0) as vacuums
  from pg_class c
  left join pg_stat_user_tables s on s.relid = c.oid
  left join pg_index i on i.indexrelid = c.oid
  left join pg_class t on t.oid = i.indrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
 order by c.relname;

-- name: promoted_since
-- Live bookings that waiters were given since an instant, by the time in their ids: $1 is the least id of that time.
select event_id, booking_id, user_id, seat_nos from bookings
 where booking_id >= $1 and entry_id is not null and status = 'active';

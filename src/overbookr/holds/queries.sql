-- name: find_hold
-- A hold of this user's by its token; expired by the clock even when nobody has tidied it up.
select hold_id, event_id, seat_nos,
       case when status = 'active' and expires_at <= clock_timestamp() then 'expired' else status end as status,
       created_at, expires_at
  from holds where hold_id = $1 and user_id = $2;


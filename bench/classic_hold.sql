-- A hold of two free seats, by pgbench. Each client walks over pairs of its own, beginning at an event of its own.
\set number :number + 1
\set pair (:client_id * :walk + (:number + :client_id) % :walk) * :stride % :pairs
\set event :pair % :events
\set first 2 * :pair + 1
\set second 2 * :pair + 2
\set user :pair % :users
begin;
select id, status, hold_expires_at from seats where event_id = :event and seat_no in ('S' || :first, 'S' || :second) order by id for update;
insert into seat_holds (hold_token, event_id, user_id, seat_nos, expires_at) values (gen_random_uuid(), :event, :user, array['S' || :first, 'S' || :second], now() + interval '5 minutes') returning hold_token as token \gset
update seats set status = 'held', hold_token = :token, hold_expires_at = now() + interval '5 minutes', updated_at = now() where event_id = :event and seat_no in ('S' || :first, 'S' || :second) and (status = 'available' or (status = 'held' and hold_expires_at <= now()));
commit;

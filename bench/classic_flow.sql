-- A hold of two free seats and then its booking, by pgbench: two transactions, each locking what it changes.
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
begin;
select hold_token, status, expires_at from seat_holds where hold_token = :token for update;
select id, status, hold_token from seats where event_id = :event and seat_no in ('S' || :first, 'S' || :second) order by id for update;
insert into bookings (id, event_id, user_id, hold_token, seats_count, idempotency_key) values (gen_random_uuid(), :event, :user, :token, 2, 'key-' || :pair) returning id as booking \gset
insert into booking_seats (booking_id, seat_id) values (:booking, :first), (:booking, :second);
update seats set status = 'booked', booking_id = :booking, hold_token = null, hold_expires_at = null, updated_at = now() where event_id = :event and seat_no in ('S' || :first, 'S' || :second) and status = 'held' and hold_token = :token;
update seat_holds set status = 'converted' where hold_token = :token and status = 'active';
update events set booked_count = booked_count + 2, updated_at = now() where id = :event and booked_count + 2 <= capacity;
commit;

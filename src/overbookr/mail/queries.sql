-- name: claim_next_mail
-- Takes the next due mail for $1 seconds: whoever dies with it loses it when that lease runs out. The start of the
-- statement is time enough to tell what is due, and unlike the clock it lets the index stop early. Skipped is what
-- another worker is claiming; the update is committed before anything is sent.
with due as (
    select booking_id, event_id, kind, next_attempt_at as due_at
      from mails
     where sent_at is null and failed_at is null and next_attempt_at <= statement_timestamp()
     order by next_attempt_at
     limit 1
       for update skip locked
),
claimed as (
    update mails m
       set attempts = m.attempts + 1,
           next_attempt_at = clock_timestamp() + make_interval(secs => $1)
      from due d
     where m.booking_id = d.booking_id and m.event_id = d.event_id and m.kind = d.kind
    returning m.booking_id, m.event_id, m.kind, m.attempts,
              extract(epoch from clock_timestamp() - d.due_at)::float8 as overdue_seconds
)
select c.booking_id, c.event_id, c.kind, c.attempts, c.overdue_seconds,
       b.booking_id is not null as has_booking,
       u.user_id is not null as has_user,
       e.event_id is not null as has_event,
       u.name as user_name, u.email as user_email,
       e.name as event_name, e.venue, e.start_time,
       b.status = 'cancelled' as is_cancelled,
       array(select n.seat_no
               from unnest(b.seat_nos) with ordinality n (seat_no, place)
               left join seats s on s.event_id = b.event_id and s.seat_no = n.seat_no
              order by s.sort_key, n.place) as seat_nos
  from claimed c
  left join bookings b on b.booking_id = c.booking_id and b.event_id = c.event_id
  left join users u on u.user_id = b.user_id
  left join events e on e.event_id = c.event_id;

-- name: mark_mail_sent
-- What was sent was sent, even when another worker has meanwhile given it up.
update mails
   set sent_at = clock_timestamp(), failed_at = null, last_error = null
 where booking_id = $1 and event_id = $2 and kind = $3 and sent_at is null;

-- name: defer_mail
-- The number of attempts tells whether the claim is still ours.
update mails
   set next_attempt_at = clock_timestamp() + make_interval(secs => $5), last_error = $6
 where booking_id = $1 and event_id = $2 and kind = $3 and attempts = $4 and sent_at is null and failed_at is null;

-- name: fail_mail
update mails
   set failed_at = clock_timestamp(), last_error = $5
 where booking_id = $1 and event_id = $2 and kind = $3 and attempts = $4 and sent_at is null and failed_at is null;

-- name: mail_backlog
select count(*) filter (where sent_at is null and failed_at is null) as waiting,
       count(*) filter (where failed_at is not null) as failed,
       coalesce(extract(epoch from clock_timestamp()
                - min(created_at) filter (where sent_at is null and failed_at is null)), 0)::float8 as oldest_seconds
  from mails
 where sent_at is null;

-- name: requeue_failed_mails
-- An organiser's second chance for mails that were given up, after the cause is gone.
update mails
   set failed_at = null, attempts = 0, next_attempt_at = clock_timestamp()
 where failed_at is not null and sent_at is null;

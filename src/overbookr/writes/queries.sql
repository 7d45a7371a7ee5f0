-- name: write_batch
-- One batch of commands, one transaction; a row of outcome per command.
select kind, command, outcome, id, at, until, seat_nos, statuses
  from write_batch_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                      $22, $23, $24, $25, $26);

-- name: settle_due_events
-- Ends overdue holds and serves waiters of at most $1 events; how many events it settled.
select settle_due_events_v1($1, $2);

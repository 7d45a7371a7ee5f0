-- migrate:up

-- In an on-sale these tables double every few minutes, and a twentieth more of them came every few seconds: gathering
-- statistics anew each time took a core for a fifth of the time, while those who buy waited. What decides the plans of
-- the hot statements are keys, not statistics (they are right without any), so half as much again is soon enough.
set local lock_timeout = '5s';

alter table seats set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
alter table holds set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
alter table bookings set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
alter table booking_seats set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
alter table seat_changes set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
alter table mails set (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);

-- Nothing is looked for by the labels within these lists, and what lists have in common is the dearest thing to find out.
alter table holds alter column seat_nos set statistics 0;
alter table bookings alter column seat_nos set statistics 0;

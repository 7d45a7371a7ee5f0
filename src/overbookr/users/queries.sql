-- name: insert_user
-- Register somebody together with their first refresh token. No row: the e-mail is taken. The clock is
-- read once, as for somebody new the two times are the same moment.
with made as (
  insert into users (user_id, name, email, role, password_hash, created_at, updated_at)
  select $1, $2, $3, $4, $5, t.at, t.at from (select clock_timestamp() as at) t
  on conflict (email) do nothing
  returning user_id, name, email, role, token_version, created_at, updated_at
), kept as (
  insert into refresh_tokens (token_hash, family_id, user_id, expires_at)
  select $6, $7, user_id, clock_timestamp() + make_interval(secs => $8)
    from made
)
select user_id, name, email, role, token_version, created_at, updated_at from made;

-- name: insert_users
-- Many users with one password hash. Users whose e-mail exists already stay as they are and are returned too.
insert into users (user_id, name, email, password_hash)
select person.user_id, person.name, person.email, $4
  from unnest($1::uuid[], $2::text[], $3::text[]) as person (user_id, name, email)
on conflict (email) do update set email = excluded.email
returning user_id, email, token_version;

-- name: upsert_admin
-- Make somebody an admin with this password, whether they exist or not. Their older access tokens die.
insert into users (user_id, name, email, role, password_hash)
values ($1, $2, $3, 'admin', $4)
on conflict (email) do update
   set role = 'admin', password_hash = excluded.password_hash, token_version = users.token_version + 1,
       updated_at = clock_timestamp()
returning user_id, user_id = $1 as created;

-- name: find_user_with_password
-- A user by e-mail, with the hash to check a password against.
select user_id, name, email, role, token_version, created_at, updated_at, password_hash from users where email = $1;

-- name: find_user
-- A user by id.
select user_id, name, email, role, token_version, created_at, updated_at from users where user_id = $1;

-- name: find_password_hash
-- The hash of a user's password, as long as this token version holds.
select password_hash from users where user_id = $1 and token_version = $2;

-- name: read_standings
-- What a request's principal may do at this moment, for all requests of one batch.
select user_id, token_version, role from users where user_id = any($1::uuid[]);

-- name: insert_refresh_token_of_new_family
-- A fresh login's token. The share lock waits for a password change or a logout under way, and no row comes back
-- if that has raised the token version: whoever knew only the old password is not let in.
with owner as (
  select user_id from users where user_id = $3 and token_version = $5 for share
)
insert into refresh_tokens (token_hash, family_id, user_id, expires_at)
select $1, $2, user_id, clock_timestamp() + make_interval(secs => $4) from owner
returning user_id;

-- name: lock_owner_of_refresh_token
-- Everything that ends or renews a user's sessions first locks the user's row, so that these follow one another.
select user_id, name, email, role, token_version, created_at, updated_at
  from users
 where user_id = (select user_id from refresh_tokens where token_hash = $1)
   for no key update;

-- name: use_refresh_token
-- Spend a token. No row: it was used more than $2 seconds ago, was revoked, or has expired. The first use counts, so
-- that using it again and again does not make it last.
update refresh_tokens set used_at = coalesce(used_at, clock_timestamp())
 where token_hash = $1 and revoked_at is null and expires_at > clock_timestamp()
   and (used_at is null or used_at > clock_timestamp() - make_interval(secs => $2))
returning family_id;

-- name: insert_refresh_token
-- The successor of a spent token, in the same family.
insert into refresh_tokens (token_hash, family_id, user_id, expires_at)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4));

-- name: revoke_family_of_used_token
-- A token that is shown twice was copied by somebody, so none of its family may be used any more.
update refresh_tokens set revoked_at = clock_timestamp()
 where family_id = (select family_id from refresh_tokens where token_hash = $1 and used_at is not null)
   and revoked_at is null;

-- name: raise_token_version
-- End the life of every access token of a user.
update users set token_version = token_version + 1 where user_id = $1;

-- name: revoke_refresh_tokens
-- End the life of every refresh token of a user. A statement of its own, after the user's row is locked: one that
-- locks and revokes at once would not see the token of a login that it has waited for.
update refresh_tokens set revoked_at = clock_timestamp() where user_id = $1 and revoked_at is null;

-- name: rename_user
-- Change a user's name.
update users set name = $2, updated_at = clock_timestamp() where user_id = $1
returning user_id, name, email, role, token_version, created_at, updated_at;

-- name: change_password
-- Change password and perhaps name. No row: somebody else has changed or ended this session in the meantime.
update users
   set password_hash = $3, name = coalesce($4, name), token_version = token_version + 1, updated_at = clock_timestamp()
 where user_id = $1 and token_version = $2
returning user_id, name, email, role, token_version, created_at, updated_at;

-- name: replace_password_hash
-- The same password, hashed with newer parameters; unless it was changed in the meantime.
update users set password_hash = $3 where user_id = $1 and password_hash = $2;

-- name: delete_expired_refresh_tokens
-- Forget tokens that expired more than a day ago, a bounded number at a time; two processes may do this at once.
delete from refresh_tokens
 where token_hash in (
   select token_hash from refresh_tokens
    where expires_at < clock_timestamp() - interval '1 day'
    limit $1
      for update skip locked)
returning 1;

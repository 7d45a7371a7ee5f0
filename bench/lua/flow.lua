-- The crowd of a sale: every request holds two seats that nobody else wants; in a flow the token in the answer is
-- remembered, and one of the next requests books it. Who wants what is worked out as in stage.py's visit().
-- From the environment: BENCH_KIND (hold or flow), BENCH_TOKENS and BENCH_EVENTS (files), BENCH_PAIRS, BENCH_STRIDE,
-- BENCH_USERS_AT_ONCE, the visits from BENCH_FROM up to BENCH_TO, BENCH_THREADS, and BENCH_SLASH, which ends a path.
--
-- wrk does not say which request an answer is to. Where a hold's answer names its seats, one thread has all
-- connections. Where it does not, each connection has a thread of its own, and an answer is to what that sent last.

dofile(os.getenv("BENCH_LUA") .. "/answers.lua")

local flow, tokens, events, pairs_max, stride, users_at_once, slash
local visits, visits_end, step
local pending, first, last_pending = {}, 1, 0
local users, latest = {}, nil

function init()
  flow = os.getenv("BENCH_KIND") == "flow"
  tokens, events = lines(os.getenv("BENCH_TOKENS")), lines(os.getenv("BENCH_EVENTS"))
  pairs_max, stride = tonumber(os.getenv("BENCH_PAIRS")), tonumber(os.getenv("BENCH_STRIDE"))
  users_at_once, slash = tonumber(os.getenv("BENCH_USERS_AT_ONCE")), os.getenv("BENCH_SLASH")
  step = tonumber(os.getenv("BENCH_THREADS"))
  visits, visits_end = tonumber(os.getenv("BENCH_FROM")) + place, tonumber(os.getenv("BENCH_TO"))
end

local function post(path, user, extra, body)
  return "POST " .. path .. slash .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. tokens[user + 1]
    .. "\r\n" .. extra .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function hold()
  local number = visits
  visits = visits + step
  local pair = number * stride % pairs_max
  local user = (math.floor(number / (users_at_once * 4)) * users_at_once + number % users_at_once) % #tokens
  users[pair], latest = user, pair
  local body = '{"event_id":"' .. events[pair % #events + 1] .. '","seat_nos":["S' .. 2 * pair + 1 .. '","S' .. 2 * pair + 2 .. '"]}'
  return post("/holds", user, "", body)
end

local function book()
  local held = pending[first]
  pending[first] = nil
  first = first + 1
  local body = '{"event_id":"' .. events[held.pair % #events + 1] .. '","hold_token":"' .. held.token .. '"}'
  return post("/bookings", users[held.pair], "Idempotency-Key: key-" .. held.pair .. "\r\n", body)
end

function request()
  begin()
  if first <= last_pending then return book() end
  if visits < visits_end then return hold() end
  ran_out = true
  return IDLE
end

local function pair_of(body)
  local seat = body:match('"seat_nos": ?%["S(%d+)"')
  if seat then return (tonumber(seat) - 1) / 2 end
  return step > 1 and latest or nil
end

function response(status, headers, body)
  if status == 201 then
    if body:find('"seat_numbers"', 1, true) then return count("201 booked") end
    local token = body:match('"hold_token": ?"([^"]+)"')
    if not token then return count("201 without a hold's token") end
    count("201 held")
    if not flow then return end
    local pair = pair_of(body)
    if not pair then return count("201 that does not name its seats") end
    last_pending = last_pending + 1
    pending[last_pending] = { token = token, pair = pair }
  elseif ran_out and status == 200 then
    wrk.thread:stop()
  else
    count(status .. " " .. (body:match('"code":"([a-z_]+)"') or ""))
  end
end

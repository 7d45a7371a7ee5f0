-- The crowd of a sale: every request holds two seats that nobody else wants; in a flow the token in the answer is
-- remembered, and one of the next requests books it. Who wants what is worked out as in stage.py's visit().
-- From the environment: BENCH_KIND (hold or flow), BENCH_TOKENS and BENCH_EVENTS (files), BENCH_PAIRS, BENCH_STRIDE,
-- BENCH_USERS_AT_ONCE, and the visits from BENCH_FROM up to BENCH_TO. One thread only: the script keeps its place in
-- variables of its own.

dofile(os.getenv("BENCH_LUA") .. "/answers.lua")

local flow, tokens, events, pairs_max, stride, users_at_once
local visits, visits_end
local pending, first, last_pending = {}, 1, 0
local users = {}

function init()
  flow = os.getenv("BENCH_KIND") == "flow"
  tokens, events = lines(os.getenv("BENCH_TOKENS")), lines(os.getenv("BENCH_EVENTS"))
  pairs_max, stride = tonumber(os.getenv("BENCH_PAIRS")), tonumber(os.getenv("BENCH_STRIDE"))
  users_at_once = tonumber(os.getenv("BENCH_USERS_AT_ONCE"))
  visits, visits_end = tonumber(os.getenv("BENCH_FROM")), tonumber(os.getenv("BENCH_TO"))
end

local function post(path, user, extra, body)
  return "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. tokens[user + 1]
    .. "\r\n" .. extra .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function hold()
  local number = visits
  visits = visits + 1
  local pair = number * stride % pairs_max
  local user = (math.floor(number / (users_at_once * 4)) * users_at_once + number % users_at_once) % #tokens
  users[pair] = user
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

function response(status, headers, body)
  if status == 201 then
    if body:find('"seats_count"', 1, true) then return count("201 booked") end
    local token = body:match('"hold_token": ?"([^"]+)"')
    if not token then return count("201 without a hold's token") end
    count("201 held")
    if not flow then return end
    local seat = body:match('"seat_nos": ?%["S(%d+)"')
    if not seat then return count("201 that does not name its seats") end
    last_pending = last_pending + 1
    pending[last_pending] = { token = token, pair = (tonumber(seat) - 1) / 2 }
  elseif ran_out and status == 200 then
    wrk.thread:stop()
  else
    count(status .. " " .. (body:match('"code":"([a-z_]+)"') or ""))
  end
end

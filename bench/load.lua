-- The crowd, for wrk: every request holds two seats that nobody else wants; in a flow the token in the answer is
-- remembered, and one of the next requests books it. Who wants what is worked out as in stage.py's visit().
-- From the environment: BENCH_KIND (hold or flow), BENCH_TOKENS and BENCH_EVENTS (files), BENCH_PAIRS, BENCH_STRIDE,
-- BENCH_USERS_AT_ONCE, and the visits from BENCH_FROM up to BENCH_TO. One thread only: the script keeps its place in variables of its own.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]
local MONOTONIC = 1
local reading = ffi.new("bench_time")

local function now()
  ffi.C.clock_gettime(MONOTONIC, reading)
  return tonumber(reading.seconds) + tonumber(reading.nanoseconds) / 1e9
end

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

local flow, tokens, events, pairs_max, stride, users_at_once
local visits, visits_end
local pending, first, last_pending = {}, 1, 0
local users = {}
-- Read by done(), which runs in a state of its own.
holds, bookings, started, ended, ran_out = 0, 0, 0, 0, false
statuses = {}

function setup(thread)
  bench_thread = thread
end

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
  local user = math.floor(number / (users_at_once * 4)) * users_at_once + number % users_at_once
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
  if started == 0 then started = now() end
  if first <= last_pending then return book() end
  if visits < visits_end then return hold() end
  ran_out = true
  return "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
end

function response(status, headers, body)
  if status == 201 then
    local token = body:match('"hold_token":"([0-9a-f-]+)"')
    if token then
      holds = holds + 1
      if flow then
        last_pending = last_pending + 1
        pending[last_pending] = { token = token, pair = (tonumber(body:match('"seat_nos":%["S(%d+)"')) - 1) / 2 }
      end
    else
      bookings = bookings + 1
    end
    ended = now()
  else
    local name = tostring(status) .. " " .. (body:match('"code":"([a-z_]+)"') or "")
    statuses[name] = (statuses[name] or 0) + 1
    if ran_out then wrk.thread:stop() end
  end
end

local function members(thread_statuses)
  local parts = {}
  for name, count in pairs(thread_statuses) do
    if not name:match("^200") then parts[#parts + 1] = '"' .. name .. '":' .. count end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function done(summary, latency, requests)
  local thread = bench_thread
  io.write(string.format(
    'RESULT {"holds":%d,"bookings":%d,"seconds":%.6f,"ran_out":%s,"refusals":%s,"requests":%d,"timeouts":%d,'
      .. '"broken":%d,"latency_ms":{"p50":%.3f,"p95":%.3f,"p99":%.3f,"max":%.3f}}\n',
    thread:get("holds"), thread:get("bookings"), thread:get("ended") - thread:get("started"),
    tostring(thread:get("ran_out")), members(thread:get("statuses")), summary.requests, summary.errors.timeout,
    summary.errors.connect + summary.errors.read + summary.errors.write,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end

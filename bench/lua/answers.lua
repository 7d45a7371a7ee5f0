-- What every script of the crowd needs: a clock, files, and counting answers by what they said.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]
local MONOTONIC = 1
local reading = ffi.new("bench_time")

-- Read by done(), which runs in a state of its own.
answers, started, ended, ran_out = {}, 0, 0, false

function now()
  ffi.C.clock_gettime(MONOTONIC, reading)
  return tonumber(reading.seconds) + tonumber(reading.nanoseconds) / 1e9
end

function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

function begin()
  if started == 0 then started = now() end
end

-- Sent when there is nothing left to send; its answer is counted nowhere.
IDLE = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

function count(name)
  answers[name] = (answers[name] or 0) + 1
  ended = now()
end

-- Each thread runs the script in a state of its own, in which `place` is its number, from 0.
local threads = {}

function setup(thread)
  thread:set("place", #threads)
  threads[#threads + 1] = thread
end

function done(summary, latency, requests)
  local all, parts, first, last, out = {}, {}, math.huge, 0, false
  for _, thread in ipairs(threads) do
    for name, times in pairs(thread:get("answers")) do all[name] = (all[name] or 0) + times end
    if thread:get("started") > 0 then first = math.min(first, thread:get("started")) end
    last, out = math.max(last, thread:get("ended")), out or thread:get("ran_out")
  end
  for name, times in pairs(all) do parts[#parts + 1] = '"' .. name .. '":' .. times end
  io.write(string.format(
    'RESULT {"answers":{%s},"seconds":%.6f,"ran_out":%s,"requests":%d,"bytes":%.0f,"timeouts":%d,"broken":%d,'
      .. '"latency_ms":{"p50":%.3f,"p95":%.3f,"p99":%.3f,"max":%.3f}}\n',
    table.concat(parts, ","), math.max(0, last - first), tostring(out),
    summary.requests, summary.bytes, summary.errors.timeout,
    summary.errors.connect + summary.errors.read + summary.errors.write,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end

// An on-sale with real people in it: they hold, book, ask twice, change their minds and queue, and at the end every
// seat is counted. See README.md for how to run it and for the options.

import http from 'k6/http';
import { check, fail, sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { randomBytes } from 'k6/crypto';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const USERS = Number(__ENV.USERS || 100);
const SEATS = Number(__ENV.SEATS || 150);
const THINK_SECONDS = Number(__ENV.THINK_SECONDS || 0.3);
const SEATS_PER_REQUEST = 1000;
const PAGE = 100;

// Questions about the whole run. `checks` is only for what must never be otherwise.
const doubleBookings = new Counter('double_bookings');
const lostBookings = new Counter('lost_bookings');
const serverErrors = new Counter('server_errors');
const unanswered = new Counter('unanswered');
const redirects = new Counter('redirects');
// What the world said no to. A refusal is a lawful answer and never counts as a hold or a booking.
const refusals = new Counter('refusals_409');
// What was done.
const holdsPlaced = new Counter('holds_placed');
const holdsReleased = new Counter('holds_released');
const bookingsMade = new Counter('bookings_made');
const bookingsReplayed = new Counter('bookings_replayed');
const bookingsCancelled = new Counter('bookings_cancelled');
const waitlistJoined = new Counter('waitlist_joined');
const waitlistLeft = new Counter('waitlist_left');
const holdSucceeds = new Rate('hold_succeeds');

export const options = {
  scenarios: {
    buyers: {
      executor: 'ramping-vus',
      startVUs: 1,
      stages: [
        { duration: __ENV.RAMP || '5s', target: Number(__ENV.VUS || 50) },
        { duration: __ENV.DURATION || '30s', target: Number(__ENV.VUS || 50) },
      ],
      gracefulRampDown: '30s',
      gracefulStop: '30s',
      exec: 'buy',
    },
  },
  setupTimeout: '300s',
  teardownTimeout: '300s',
  maxRedirects: 0,
  thresholds: {
    checks: ['rate>0.99'],
    double_bookings: ['count==0'],
    lost_bookings: ['count==0'],
    server_errors: ['count==0'],
    unanswered: ['count==0'],
    redirects: ['count==0'],
    holds_placed: ['count>0'],
    bookings_made: ['count>0'],
    bookings_replayed: ['count>0'],
    bookings_cancelled: ['count>0'],
    waitlist_joined: ['count>0'],
    refusals_409: ['count>0'],
    'http_req_duration{operation:hold}': [`p(95)<${__ENV.HOLD_P95_MS || 500}`],
    'http_req_duration{operation:book}': [`p(95)<${__ENV.BOOK_P95_MS || 500}`],
    'http_req_duration{operation:map}': [`p(95)<${__ENV.MAP_P95_MS || 500}`],
    // Listed so that the summary shows them apart.
    'refusals_409{code:seats_unavailable}': ['count>=0'],
    'refusals_409{code:hold_limit}': ['count>=0'],
    'refusals_409{code:seats_available}': ['count>=0'],
    'refusals_409{code:already_waiting}': ['count>=0'],
  },
};

// A refusal with a 4xx is part of the game; only no answer and 5xx are failures of a request.
http.setResponseCallback(http.expectedStatuses({ min: 200, max: 499 }));

// ---------------------------------------------------------------- talking

function send(operation, method, path, { token, body, headers } = {}) {
  const sent = Object.assign({}, headers);
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  const answer = http.request(method, BASE + path, body === undefined ? null : JSON.stringify(body), {
    headers: sent,
    redirects: 0,
    tags: { operation, name: operation },
  });
  if (answer.status === 0) unanswered.add(1, { operation });
  if (answer.status >= 500) serverErrors.add(1, { operation });
  if (answer.status >= 300 && answer.status < 400 && answer.status !== 304) redirects.add(1, { operation });
  return answer;
}

function read(answer) {
  try {
    return answer.json();
  } catch (_) {
    return {};
  }
}

/** Whether the answer is a 409 with one of these codes; it is counted, whichever it is. */
function refused(answer, ...codes) {
  if (answer.status !== 409) return false;
  const code = read(answer).code;
  refusals.add(1, { code });
  return codes.includes(code);
}

function newKey() {
  return Array.from(new Uint8Array(randomBytes(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function required(answer, status, what) {
  if (answer.status === 429) fail(`${what}: rate limited; start the server with OVERBOOKR_RATE_LIMIT=off`);
  if (answer.status === 403) fail(`${what}: forbidden; start the server with OVERBOOKR_OPEN_ROLES=on`);
  if (answer.status !== status) fail(`${what}: expected ${status}, got ${answer.status} ${answer.body}`);
  return answer.json();
}

// ---------------------------------------------------------------- before and after

function register(run, name, role) {
  const body = { name, email: `${name}-${run}@load.invalid`, password: newKey(), role };
  return required(send('register', 'POST', '/users/register', { body }), 201, `registering ${name}`).token;
}

export function setup() {
  const run = newKey().slice(0, 10);
  const admin = register(run, 'organiser', 'admin');
  const tokens = [];
  for (let number = 0; number < USERS; number += 1) tokens.push(register(run, `buyer-${number}`, 'user'));
  const event = required(
    send('create_event', 'POST', '/events', {
      token: admin,
      body: { name: `Load ${run}`, venue: 'Bench hall', start_time: new Date(Date.now() + 30 * 86400e3).toISOString() },
    }),
    201,
    'creating the event',
  );
  const labels = Array.from({ length: SEATS }, (_, place) => `S${place + 1}`);
  for (let start = 0; start < SEATS; start += SEATS_PER_REQUEST) {
    const body = { seat_nos: labels.slice(start, start + SEATS_PER_REQUEST) };
    required(send('add_seats', 'POST', `/events/${event.id}/seats`, { token: admin, body }), 201, 'adding seats');
  }
  return { admin, tokens, eventId: event.id, labels };
}

/** Every active booking of every buyer. */
function activeBookings(data) {
  const found = [];
  for (const token of data.tokens) {
    for (let offset = 0; ; offset += PAGE) {
      const page = required(send('list_bookings', 'GET', `/bookings?limit=${PAGE}&offset=${offset}`, { token }), 200, 'listing bookings');
      found.push(...page.filter((booking) => booking.status === 'active'));
      if (page.length < PAGE) break;
    }
  }
  return found;
}

export function teardown(data) {
  const bookings = activeBookings(data);
  const seats = required(send('map', 'GET', `/events/${data.eventId}/seats`, { token: data.admin }), 200, 'reading the seats');
  const event = required(send('get_event', 'GET', `/events/${data.eventId}`, { token: data.admin }), 200, 'reading the event');
  const ownerOf = {};
  for (const booking of bookings) {
    for (const seat of booking.seat_numbers) {
      if (seat in ownerOf) {
        doubleBookings.add(1);
        console.error(`seat ${seat} is in the bookings ${ownerOf[seat]} and ${booking.id}`);
      }
      ownerOf[seat] = booking.id;
    }
  }
  const sold = seats.filter((seat) => seat.status === 'booked').map((seat) => seat.seat_no);
  const held = seats.filter((seat) => seat.status === 'held').length;
  check(null, {
    'every seat is still there, once': () => new Set(seats.map((seat) => seat.seat_no)).size === SEATS && seats.length === SEATS,
    'the seats shown as booked are those of live bookings': () =>
      sold.length === Object.keys(ownerOf).length && sold.every((seat) => seat in ownerOf),
    'the event counts what is booked': () => event.booked_count === sold.length,
    'the event counts what is held': () => event.held_count === held,
    'the event counts what is free': () => event.available === SEATS - sold.length - held,
  });
  console.log(`${bookings.length} live bookings of ${sold.length} seats, ${held} seats held, ${event.available} free`);
}

// ---------------------------------------------------------------- a buyer

// What this buyer knows: bookings that were acknowledged and not cancelled since, the map's ETag and its free seats.
const mine = [];
let etag = null;
let free = [];

export function buy(data) {
  const buyer = { token: data.tokens[(__VU - 1) % data.tokens.length], eventId: data.eventId };
  // Two virtual users must not act for one account: each would see the other's bookings vanish.
  if (__VU > data.tokens.length) fail(`there are more virtual users than accounts; raise USERS above ${USERS}`);
  look(buyer);
  const hold = placeHold(buyer, pick(data.labels));
  if (hold !== null) {
    if (Math.random() < 0.1) release(buyer, hold);
    else book(buyer, hold);
  } else if (Math.random() < 0.5) {
    queue(buyer);
  }
  if (mine.length > 0 && Math.random() < 0.15) cancel(buyer);
  remember(buyer);
  sleep(THINK_SECONDS * (0.5 + Math.random()));
}

/** Up to three neighbours: mostly from the map, which others look at too, sometimes from anywhere. */
function pick(labels) {
  const offered = free.length > 0 && Math.random() < 0.7 ? free : labels;
  const first = Math.floor(Math.random() * offered.length);
  return offered.slice(first, first + 1 + Math.floor(Math.random() * 3));
}

function look(buyer) {
  const headers = etag === null ? {} : { 'If-None-Match': etag };
  const answer = send('map', 'GET', `/events/${buyer.eventId}/seats`, { token: buyer.token, headers });
  check(answer, {
    'map: 200 or 304': () => answer.status === 200 || (answer.status === 304 && etag !== null),
    'map: names no person': () => answer.status !== 200 || !/"(user_id|hold_token|booking_id)"/.test(answer.body),
  });
  etag = answer.headers.Etag || answer.headers.ETag || etag;
  if (answer.status === 200) {
    free = answer.json().filter((seat) => seat.status === 'available').map((seat) => seat.seat_no);
  }
}

function placeHold(buyer, seatNos) {
  const answer = send('hold', 'POST', '/holds', {
    token: buyer.token,
    body: { event_id: buyer.eventId, seat_nos: seatNos },
  });
  holdSucceeds.add(answer.status === 201);
  if (answer.status === 409) {
    const body = read(answer);
    check(answer, {
      'hold: a refusal says why': () => refused(answer, 'seats_unavailable', 'hold_limit'),
      'hold: conflicts name wanted seats': () =>
        body.code !== 'seats_unavailable' ||
        (body.conflicts.length > 0 && body.conflicts.every((conflict) => seatNos.includes(conflict.seat_no))),
    });
    if (body.code === 'hold_limit') cancelEarlier(buyer);
    return null;
  }
  const hold = read(answer);
  const sound = check(answer, {
    'hold: 201': () => answer.status === 201,
    'hold: of the wanted seats': () => String(hold.seat_nos) === String(seatNos),
    'hold: lasts a while': () => Date.parse(hold.expires_at) > Date.now(),
  });
  if (!sound) return null;
  holdsPlaced.add(1);
  return hold;
}

function release(buyer, hold) {
  const answer = send('release', 'DELETE', `/holds/${hold.hold_token}`, { token: buyer.token });
  if (check(answer, { 'release: 204': () => answer.status === 204 })) holdsReleased.add(1);
  const late = send('book', 'POST', '/bookings', {
    token: buyer.token,
    headers: { 'Idempotency-Key': newKey() },
    body: { event_id: buyer.eventId, hold_token: hold.hold_token },
  });
  check(late, { 'release: what was let go cannot be booked': () => refused(late, 'hold_expired') });
}

function book(buyer, hold) {
  const key = { 'Idempotency-Key': newKey() };
  const body = { event_id: buyer.eventId, hold_token: hold.hold_token };
  const answer = send('book', 'POST', '/bookings', { token: buyer.token, headers: key, body });
  const booking = read(answer);
  const made = check(answer, {
    'book: 201': () => answer.status === 201,
    'book: the seats of the hold': () => String(booking.seat_numbers) === String(hold.seat_nos),
  });
  if (!made) {
    refused(answer);
    return;
  }
  bookingsMade.add(1);
  mine.push(booking);
  replay(buyer, key, body, answer);
}

function replay(buyer, key, body, first) {
  const again = send('replay', 'POST', '/bookings', { token: buyer.token, headers: key, body });
  const replayed = check(again, {
    'replay: the same answer': () => again.status === 201 && again.body === first.body,
    'replay: says that it is one': () => again.headers['Idempotency-Replayed'] === 'true',
  });
  if (replayed) bookingsReplayed.add(1);
  if (Math.random() < 0.1) {
    const other = { event_id: body.event_id, hold_token: '00000000-0000-7000-8000-000000000000' };
    const reused = send('reuse', 'POST', '/bookings', { token: buyer.token, headers: key, body: other });
    check(reused, { 'replay: the key is not for another body': () => reused.status === 422 });
  }
}

function cancel(buyer) {
  const [booking] = mine.splice(Math.floor(Math.random() * mine.length), 1);
  cancelById(buyer, booking.id);
}

/** Make room in this buyer's share: a waiter who was promoted owns bookings that were never answered to anybody. */
function cancelEarlier(buyer) {
  const answer = send('list_bookings', 'GET', `/bookings?limit=${PAGE}`, { token: buyer.token });
  if (!check(answer, { 'list: 200': () => answer.status === 200 })) return;
  const active = answer.json().filter((booking) => booking.status === 'active');
  if (active.length === 0) return;
  const oldest = active[active.length - 1];
  const known = mine.findIndex((booking) => booking.id === oldest.id);
  if (known >= 0) mine.splice(known, 1);
  cancelById(buyer, oldest.id);
}

function cancelById(buyer, id) {
  const answer = send('cancel', 'DELETE', `/bookings/${id}`, { token: buyer.token });
  const done = check(answer, { 'cancel: 200': () => answer.status === 200 && read(answer).status === 'cancelled' });
  if (done) bookingsCancelled.add(1);
  const again = send('cancel', 'DELETE', `/bookings/${id}`, { token: buyer.token });
  check(again, { 'cancel: again the same': () => again.status === 200 && again.body === answer.body });
}

function queue(buyer) {
  const path = `/events/${buyer.eventId}/waitlist`;
  const answer = send('join', 'POST', path, { token: buyer.token, body: { requested_seats: 1 + Math.floor(Math.random() * 2) } });
  if (answer.status === 409) {
    check(answer, { 'join: a refusal says why': () => refused(answer, 'seats_available', 'already_waiting', 'hold_limit') });
    return;
  }
  if (!check(answer, { 'join: 202 with a place': () => answer.status === 202 && read(answer).position >= 1 })) return;
  waitlistJoined.add(1);
  // A waiter may be promoted at any moment, so there need not be an entry any more.
  const entry = send('waiting', 'GET', `${path}/me`, { token: buyer.token });
  check(entry, { 'waiting: 200 or 404': () => entry.status === 200 || entry.status === 404 });
  if (Math.random() < 0.3) {
    const left = send('leave', 'DELETE', `${path}/me`, { token: buyer.token });
    check(left, { 'leave: 204 or 404': () => left.status === 204 || left.status === 404 });
    if (left.status === 204) waitlistLeft.add(1);
  }
}

/** A booking that was acknowledged is there, with the same seats, whenever one looks. */
function remember(buyer) {
  if (mine.length === 0) return;
  const booking = mine[Math.floor(Math.random() * mine.length)];
  const answer = send('get_booking', 'GET', `/bookings/${booking.id}`, { token: buyer.token });
  const found = read(answer);
  const kept = answer.status === 200 && found.status === 'active' && String(found.seat_numbers) === String(booking.seat_numbers);
  if (!check(answer, { 'booking: still mine': () => kept })) {
    if (answer.status > 0 && answer.status < 500) lostBookings.add(1);
  }
}

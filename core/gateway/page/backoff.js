// When to connect again. The server's close codes carry the advice in their range (docs/protocol.md).

const kFirstMs = 400;
const kLongestMs = 30_000;

// Exponential with jitter: half of it fixed, half of it random, so that a thousand clients do not come back at once.
export function backoff_ms(attempt, random = Math.random) {
  const ceiling = Math.min(kLongestMs, kFirstMs * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + random() * ceiling / 2);
}

// 'final': do not come back by yourself; 'token': get a new one first; 'elsewhere': come back after the stated time;
// 'retry': with backoff.
export function advice_of(code) {
  if (code >= 4000 && code <= 4099) return 'final';
  if (code >= 4100 && code <= 4199) return 'token';
  if (code === 4401) return 'token';
  if (code >= 4300 && code <= 4399) return 'elsewhere';
  return 'retry';
}

const kFinalWords = new Map([
  [4003, 'The server does not allow this connection.'],
  [4006, 'This page is older than the server. Reload it.'],
  [4009, 'You are connected from too many places. Close one of them.'],
]);

export function final_words(code) { return kFinalWords.get(code) ?? 'The server has closed the connection.'; }

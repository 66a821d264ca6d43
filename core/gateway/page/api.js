// REST: accounts and people. Everything else goes over the WebSocket (connection.js).

// A refresh token is taken a second time for half a minute after its first use, so an answer that does not come is given
// up in time to ask again.
const kRefreshMs = 10_000;

export class ApiError extends Error {
  constructor(code, message, retry_after_ms, status) {
    super(message);
    this.code = code;
    this.retry_after_ms = retry_after_ms;
    this.status = status;
  }
}

async function call(method, path, { body, token, patience_ms } = {}) {
  let response;
  let answer;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: {
        ...(body ? { 'Content-Type': 'application/json' } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(patience_ms ? { signal: AbortSignal.timeout(patience_ms) } : {}),
    });
    answer = response.status === 204 ? null : await response.json();
  } catch {
    // Half an answer is none. Who refuses without words of ours (a proxy) has said so by the status.
    if (!response || response.ok) throw new ApiError('connection_lost', 'The server cannot be reached. Is it running?', 0, 0);
  }
  if (response.ok) return answer;
  throw new ApiError(answer?.code ?? 'internal', answer?.message ?? `The server answered ${response.status}.`,
                     answer?.retry_after_ms, response.status);
}

export const register = (name, password) => call('POST', 'register', { body: { name, password } });
export const login = (name, password) => call('POST', 'login', { body: { name, password } });
export const refresh = (refresh_token) => call('POST', 'refresh', { body: { refresh_token }, patience_ms: kRefreshMs });
export const logout = (token) => call('POST', 'logout', { token });
export const find_users = (token, name) => call('GET', `users?name=${encodeURIComponent(name)}`, { token });
export const user = (token, id) => call('GET', `users/${encodeURIComponent(id)}`, { token });

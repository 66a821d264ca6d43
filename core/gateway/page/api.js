// REST: accounts and people. Everything else goes over the WebSocket (connection.js).

export class ApiError extends Error {
  constructor(code, message, retry_after_ms, status) {
    super(message);
    this.code = code;
    this.retry_after_ms = retry_after_ms;
    this.status = status;
  }
}

async function call(method, path, { body, token } = {}) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: {
        ...(body ? { 'Content-Type': 'application/json' } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new ApiError('connection_lost', 'The server cannot be reached. Is it running?', 0, 0);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new ApiError(answer.code ?? 'internal', answer.message ?? `The server answered ${response.status}.`,
                     answer.retry_after_ms, response.status);
}

export const register = (name, password) => call('POST', 'register', { body: { name, password } });
export const login = (name, password) => call('POST', 'login', { body: { name, password } });
export const refresh = (refresh_token) => call('POST', 'refresh', { body: { refresh_token } });
export const logout = (token) => call('POST', 'logout', { token });
export const find_users = (token, name) => call('GET', `users?name=${encodeURIComponent(name)}`, { token });
export const user = (token, id) => call('GET', `users/${encodeURIComponent(id)}`, { token });

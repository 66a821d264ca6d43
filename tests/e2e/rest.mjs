// REST as any HTTP client speaks it.

// -> {status, body (parsed, or undefined), text, headers}
export async function call(url, method, path, { token, body, headers = {}, raw } = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body !== undefined || raw !== undefined ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  });
  const text = await answer.text();
  let parsed;
  try { parsed = text === '' ? undefined : JSON.parse(text); } catch { parsed = undefined; }
  return { status: answer.status, body: parsed, text, headers: answer.headers };
}

// What outlives a reload of this tab. A browser that refuses (private mode, no room) costs only that.

export function keep(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function kept(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

export function drop(key) {
  try {
    sessionStorage.removeItem(key);
  } catch { /* then it was not there either */ }
}

export function forget() {
  for (const key of ['uproar.account', 'uproar.outbox', 'uproar.snapshot']) drop(key);
}

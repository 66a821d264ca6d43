// Times and lists as people read them.

const kDayMs = 86_400_000;
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const short_date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const long_date = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const with_year = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

function days_ago(date, now) {
  const midnight = (when) => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();
  return Math.round((midnight(now) - midnight(date)) / kDayMs);
}

export const clock_time = (text) => time.format(new Date(text));
export const full_time = (text) => full.format(new Date(text));
export const day_key = (text) => new Date(text).toDateString();

export function day_name(text, now = new Date()) {
  const date = new Date(text);
  const days = days_ago(date, now);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(date);
  return date.getFullYear() === now.getFullYear() ? long_date.format(date) : with_year.format(date);
}

export function list_time(text, now = new Date()) {
  const date = new Date(text);
  const days = days_ago(date, now);
  if (days <= 0) return time.format(date);
  if (days === 1) return 'Yesterday';
  return days < 7 ? weekday.format(date) : short_date.format(date);
}

export function last_seen(text, now = new Date()) {
  if (!text) return 'Offline';
  const minutes = Math.floor((now - new Date(text)) / 60_000);
  if (minutes < 1) return 'Last online just now';
  if (minutes < 60) return `Last online ${minutes} min ago`;
  const days = days_ago(new Date(text), now);
  if (days <= 0) return `Last online at ${clock_time(text)}`;
  if (days === 1) return `Last online yesterday at ${clock_time(text)}`;
  return `Last online ${short_date.format(new Date(text))}`;
}

export function listed(names) {
  if (names.length <= 1) return names.join('');
  if (names.length > 3) return `${names.slice(0, 2).join(', ')} and ${names.length - 2} others`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Instants are Unix milliseconds; the wire carries RFC 3339 in UTC. */

export function parseInstant(text: string): number {
  return Date.parse(text);
}

export function toInstant(ms: number): string {
  return new Date(ms).toISOString();
}

const pad = (value: number, width = 2): string => value.toString().padStart(width, "0");

/** `14:34:12` in UTC. */
export function clockUtc(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `14:34:12.281` in UTC. */
export function clockUtcMs(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

/** `21 Nov` in UTC. */
export function dayUtc(ms: number): string {
  return new Date(ms).toUTCString().slice(5, 11);
}

/** `17:34` on the user's own clock. */
export function clockLocal(ms: number): string {
  const at = new Date(ms);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** `UTC+3`, `UTC-3:30` or `UTC` for an offset in minutes east of Greenwich. */
export function zoneName(offsetMinutes: number): string {
  if (offsetMinutes === 0) return "UTC";
  const hours = Math.floor(Math.abs(offsetMinutes) / 60);
  const minutes = Math.abs(offsetMinutes) % 60;
  const sign = offsetMinutes > 0 ? "+" : "\u2212";
  return `UTC${sign}${String(hours)}${minutes === 0 ? "" : `:${pad(minutes)}`}`;
}

/** Time left as `02:55` or `1:02:10`; a started second counts whole and nothing goes below zero. */
export function countdown(leftMs: number): string {
  const total = Math.max(0, Math.ceil(leftMs / 1000));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const tail = `${pad(minutes)}:${pad(total % 60)}`;
  return hours > 0 ? `${String(hours)}:${tail}` : tail;
}

/** A length of time in its largest whole unit: `15 s`, `1 min`, `2 h`. */
export function durationName(seconds: number): string {
  if (seconds % 86_400 === 0) return `${String(seconds / 86_400)} d`;
  if (seconds % 3600 === 0) return `${String(seconds / 3600)} h`;
  if (seconds % 60 === 0) return `${String(seconds / 60)} min`;
  return `${String(seconds)} s`;
}

/** Age as `0.2 s` below a minute, then in whole minutes and hours. */
export function ageName(ms: number): string {
  const age = Math.max(0, ms);
  if (age < 59_950) return `${(age / 1000).toFixed(1)} s`;
  if (age < 3_600_000) return `${String(Math.floor(age / 60_000))} min`;
  return `${String(Math.floor(age / 3_600_000))} h`;
}

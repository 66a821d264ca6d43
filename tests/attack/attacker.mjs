import { RawSocket } from './raw.mjs';

const kLateMs = 1_000;

// The process of the attacker: what the attack says to do, until its time is over. Told by its parent what to play; answers with what
// the attack returns.

process.on('message', async ({ file, port, prepared, seconds }) => {
  const { default: attack } = await import(file);
  const ends_at = Date.now() + seconds * 1000;
  setTimeout(RawSocket.destroy_all, seconds * 1000 + kLateMs);
  const result = await attack.attack({ port, prepared, goes_on: () => Date.now() < ends_at });
  process.send(result, () => process.exit(0));
});
